"""Which limits a request spends from: its account, its address, and what its route declares."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Network
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.config import GatewaySettings, Quota
from gateway.edge import Edge
from gateway.openapi import openapi
from gateway.plans import Plan, plans
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.declared import DeclaredRoute
from gateway.routing.table import Table
from gateway.services import Services
from schemas.picks import DeletePick
from tests.gateway.people import Person, new_pick, probes, slug

READ = "/v1/feeds/latest"


def limited(services: Services, limits: GatewaySettings) -> Services:
    """The same services under other limits."""
    return replace(services, limits=limits, plans=plans(limits))


def five_each(services: Services, limits: GatewaySettings | None = None) -> ASGIApp:
    """A gateway that lets an address read five pages, and no more while a test runs."""
    under = limited(services, limits or GatewaySettings())
    few = {**under.plans, "address": Plan("address", 0.001, 10)}
    return create_app(replace(under, plans=few), probes)


def somewhere() -> str:
    """An IPv6 address whose /64 has asked for nothing yet; not in fd00::/8."""
    groups = uuid4().hex
    return f"2001:{groups[:4]}:{groups[4:8]}:{groups[8:12]}::1"


async def statuses(app: ASGIApp, peer: str, *forwarded: str, token: str | None = None) -> list[int]:
    """What a read answers, once for each X-Forwarded-For (none when it is empty)."""
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        told = [{"x-forwarded-for": text} if text else {} for text in forwarded]
        return [(await client.get(READ, headers=bearer | headers)).status_code for headers in told]


async def test_a_limited_request_gets_429_and_sends_nothing(services: Services, ana: Person) -> None:
    few = limited(services, GatewaySettings(account_rate=1, account_burst=6))
    who = Person(create_app(few, probes), ana.handle, ana.account, ana.token)

    answers = [await who.send("POST", "/v1/picks", new_pick()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert slug(answers[2]) == "too-many-requests"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert answers[0].headers["ratelimit-policy"] == '"account";q=6;w=6, "address";q=100000;w=10'
    assert answers[0].headers["ratelimit"] == '"account";r=3;t=3'
    assert "pickly-command" not in answers[2].headers


async def test_what_an_account_asks_is_charged_to_its_address_too(
    services: Services, person: Callable[[], Person]
) -> None:
    app, home = five_each(services), somewhere()

    passed = [await statuses(app, home, "", token=person().token) for _ in range(6)]

    assert passed == [[200]] * 5 + [[429]]


async def test_a_bad_token_costs_its_address_as_much_as_a_good_one(services: Services) -> None:
    app, home = five_each(services), somewhere()

    passed = await statuses(app, home, *[""] * 6, token="no.such.token")

    assert passed == [401] * 5 + [429]


async def test_a_forged_x_forwarded_for_changes_nothing(services: Services) -> None:
    app, home = five_each(services), somewhere()

    passed = await statuses(app, home, *(somewhere() for _ in range(6)))

    assert passed == [200] * 5 + [429]


async def test_a_trusted_proxy_speaks_for_many_and_each_has_limits_of_its_own(services: Services) -> None:
    trusting = GatewaySettings(trusted_proxies=(IPv6Network("fd00::/8"),))
    app, first, second = five_each(services, trusting), somewhere(), somewhere()

    passed = await statuses(app, "fd00::1", *[f"{somewhere()}, {first}"] * 6, f"[{second}]:443", second)

    assert passed == [200] * 5 + [429, 200, 200]


async def test_all_addresses_of_a_64_are_one_client(services: Services) -> None:
    app, home = five_each(services), somewhere()

    passed = [(await statuses(app, f"{home.removesuffix('1')}{n}", ""))[0] for n in range(6)]

    assert passed == [200] * 5 + [429]


def deletes(limit: str) -> list[DeclaredRoute]:
    """One command route with a limit of its own."""
    router = CommandRouter("Test")

    @router.command("DELETE", "/v1/picks/{pick_id}", may="pick.change", limit=limit)
    def delete_pick(pick_id: UUID, caller: Call) -> DeletePick:
        """Delete."""
        return DeletePick(pick_id=pick_id, author_id=caller.account_id)

    return [route for route in router.routes if isinstance(route, DeclaredRoute)]


async def test_a_route_may_have_a_limit_of_its_own_per_address(
    services: Services, person: Callable[[], Person]
) -> None:
    few = limited(services, GatewaySettings(registration_limit=Quota(2, 300)))
    transport = httpx.ASGITransport(Edge(Table(deletes("registration"), {}, few)), client=(somewhere(), 1))

    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answers = [
            await client.delete(f"/v1/picks/{uuid4()}", headers={"authorization": f"Bearer {person().token}"})
            for _ in range(3)
        ]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[1].headers["ratelimit"].startswith('"registration";r=0;')
    assert answers[2].headers["ratelimit-policy"].startswith('"registration";q=2;w=300, "account"')
    assert answers[2].json()["detail"].startswith("The limit `registration` is 2 in 300 s; try again in ")
    assert 100 < int(answers[2].headers["retry-after"]) <= 150


def test_openapi_names_the_limit_of_a_route() -> None:
    document = openapi(deletes("registration"))

    assert document["paths"]["/v1/picks/{pick_id}"]["delete"]["x-limit"] == "registration"


def test_a_limit_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="no limit often; there are password-reset"):
        deletes("often")
