"""What is dangerous needs a factor that was used lately, and certainty about which sessions have ended."""

import json
import time
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from starlette.types import ASGIApp

from gateway.edge import Edge
from gateway.ended import Ended
from gateway.reads.represent import Representation
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.declared import DeclaredRoute
from gateway.routing.reads import Look, ReadRouter
from gateway.routing.sealed import SealedRouter, Sealing
from gateway.routing.table import Table
from gateway.routing.visitor import Visit
from gateway.services import Services
from gateway.shapes import CommandStatus
from infra.settings import Settings
from infra.tokens import Claims, _signing_key, issue
from schemas.sessions import EndOtherSessions, SignIn
from tests.gateway.mesh import Mesh
from tests.gateway.people import slug, until

reads, writes, sealed = ReadRouter("Test"), CommandRouter("Test"), SealedRouter("Test")


@reads.read("/v1/danger", reads=(), may="command.read", shows=CommandStatus, dangerous=True)
async def look(_look: Look) -> Representation:
    """Look at something secret."""
    return Representation(json.dumps({"seen": True}).encode())


@writes.command("DELETE", "/v1/danger", may="session.end", dangerous=True)
def end(caller: Call) -> EndOtherSessions:
    """Do something that cannot be undone."""
    return EndOtherSessions(account_id=caller.account_id, session_id=uuid4())


@sealed.sealed("POST", "/v1/danger", may="auth.own", shows=CommandStatus, dangerous=True)
def change(_visitor: Visit) -> Sealing[SignIn]:
    """Change a credential; nobody gets so far here."""
    raise AssertionError


ROUTES = [route for r in (reads, writes, sealed) for route in r.routes if isinstance(route, DeclaredRoute)]
METHODS = ("GET", "DELETE", "POST")


def over(services: Services) -> ASGIApp:
    return Edge(Table(ROUTES, {}, services))


def authorization(settings: Settings, *, factor_seconds_ago: int) -> dict[str, str]:
    """The header of somebody who used a factor so long ago."""
    now = int(time.time())
    claims = Claims(uuid4(), str(uuid4()), frozenset(), now + 600, now, 1, now - factor_seconds_ago)
    token = issue(claims, _signing_key(settings.secrets), "1")
    return {"authorization": f"Bearer {token}"}


async def ask(app: ASGIApp, method: str, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return await client.request(method, "/v1/danger", headers=headers)


@pytest.mark.parametrize("method", METHODS)
async def test_an_old_proof_must_be_renewed(
    mesh: Mesh, services: Services, servers: Settings, method: str
) -> None:
    await until(lambda: services.ended.age < 1)

    answer = await ask(over(services), method, authorization(servers, factor_seconds_ago=700))

    assert (answer.status_code, slug(answer)) == (401, "step-up-needed")
    challenge = answer.headers["www-authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age="600"'


async def test_a_young_proof_will_do(mesh: Mesh, services: Services, servers: Settings) -> None:
    await until(lambda: services.ended.age < 1)

    answer = await ask(over(services), "GET", authorization(servers, factor_seconds_ago=500))

    assert (answer.status_code, answer.json()) == (200, {"seen": True})


@pytest.mark.parametrize("method", METHODS)
async def test_nothing_dangerous_happens_while_ended_sessions_are_not_known(
    services: Services, servers: Settings, method: str
) -> None:
    blind = replace(services, ended=Ended(services.database))

    answer = await ask(over(blind), method, authorization(servers, factor_seconds_ago=0))

    assert (answer.status_code, slug(answer)) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


def test_nobody_anonymous_may_do_what_is_dangerous() -> None:
    declare = reads.read("/v1/odd", reads=(), may="public.read", shows=CommandStatus, dangerous=True)

    with pytest.raises(TypeError, match="anonymous"):
        declare(look)


def test_it_is_documented() -> None:
    for route in ROUTES:
        assert route.openapi_extra is not None
        assert route.openapi_extra["x-dangerous"] is True
        problems = route.responses[401]["content"]["application/problem+json"]["examples"]
        assert "step-up-needed" in problems
        assert 503 in route.responses
