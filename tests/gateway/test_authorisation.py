"""The authorisation matrix: every declared route against everybody who may come. No cell is left out."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.app import declared_routes
from gateway.openapi import openapi
from gateway.permissions import PERMISSIONS, permission
from gateway.routing.commands import CommandRoute
from gateway.routing.declared import DeclaredRoute
from infra.settings import Settings
from infra.tokens import verify
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, new_pick

ROUTES = {f"{min(route.methods or ())} {route.path}": route for route in declared_routes()}
DONE = {True: 201, False: 200}


@dataclass(frozen=True)
class World:
    """What the routes are tried on: things of the owner."""

    owner: Person
    pick: str
    deleted: str
    thing: str
    ref: str
    command: str
    session: str

    def request(self, name: str) -> tuple[str, str, object]:
        """Method, path and body that are right for the owner."""
        method, _, template = name.partition(" ")
        pick = self.deleted if template.endswith("/restore") else self.pick
        values = {"pick_id": pick, "kind": "like", "thing_id": self.thing, "command_id": self.command}
        values["session"] = self.session
        path = template.format(**values, account=f"@{self.owner.handle}")
        body = {
            "POST /v1/picks": new_pick(),
            "PATCH /v1/picks/{pick_id}": {"note": uuid4().hex},
            "PATCH /v1/me": {"bio": uuid4().hex},
            "PATCH /v1/auth/sessions/{session}": {"device": uuid4().hex},
            "PUT /v1/me/handle": {"handle": f"q{uuid4().hex[:20]}"},
        }.get(name)
        return method, path + (f"?ref={self.ref}" if template == "/v1/things" else ""), body


@pytest.fixture
async def world(mesh: Mesh, ana: Person, bo: Person, servers: Settings) -> World:
    for who in (ana, bo):
        await mesh.begin(UUID(verify(who.token, settings=servers).session), who.account)
    await mesh.begin(session := uuid4(), ana.account)
    made = await ana.publish(shown := new_pick())
    deleted = await ana.publish()
    await ana.send("DELETE", deleted.headers["location"], **WAIT)
    return World(
        owner=ana,
        pick=made.json()["id"],
        deleted=deleted.json()["id"],
        thing=made.json()["thing"]["id"],
        ref=shown["thing"]["ref"],
        command=made.headers["pickly-command"],
        session=str(session),
    )


async def attempt(world: World, name: str, who: Person | None, anybody: httpx.AsyncClient) -> httpx.Response:
    """The owner's request, sent by somebody."""
    method, path, body = world.request(name)
    headers = WAIT | ({"if_match": "*"} if method == "PATCH" else {})
    if who is not None:
        return await who.send(method, path, body, **headers)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await anybody.request(method, path, json=body, headers=named)


def when_own(route: DeclaredRoute) -> int:
    """What the owner gets."""
    return DONE[route.created] if isinstance(route, CommandRoute) else 200


@pytest.mark.parametrize("name", ROUTES)
async def test_anybody_without_a_token(
    mesh: Mesh, world: World, anybody: httpx.AsyncClient, name: str
) -> None:
    answer = await attempt(world, name, None, anybody)

    expected = when_own(ROUTES[name]) if ROUTES[name].permission.anonymous else 401
    assert answer.status_code == expected, answer.text
    assert ("www-authenticate" in answer.headers) == (expected == 401)


@pytest.mark.parametrize("name", ROUTES)
async def test_the_owner(mesh: Mesh, world: World, anybody: httpx.AsyncClient, name: str) -> None:
    answer = await attempt(world, name, world.owner, anybody)

    assert answer.status_code == when_own(ROUTES[name]), answer.text


@pytest.mark.parametrize("name", ROUTES)
async def test_somebody_else(
    mesh: Mesh, world: World, anybody: httpx.AsyncClient, bo: Person, name: str
) -> None:
    answer = await attempt(world, name, bo, anybody)

    foreign = ROUTES[name].permission.foreign
    assert answer.status_code == (when_own(ROUTES[name]) if foreign is None else foreign), answer.text
    if name == "GET /v1/commands/{command_id}":
        assert (answer.json()["status"], answer.json()["type"]) == ("pending", None)


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer ", "Basic YTpi", "x", ""])
async def test_a_bad_token_is_worse_than_none(
    mesh: Mesh, world: World, name: str, authorization: str
) -> None:
    method, path, body = world.request(name)

    answer = await world.owner.send(method, path, body, authorization=authorization)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_what_somebody_else_tried_changed_nothing(
    mesh: Mesh, world: World, anybody: httpx.AsyncClient, bo: Person
) -> None:
    before = (await world.owner.send("GET", f"/v1/picks/{world.pick}")).content

    for name, route in ROUTES.items():
        if route.permission.foreign == 404:
            await attempt(world, name, bo, anybody)

    assert (await world.owner.send("GET", f"/v1/picks/{world.pick}")).content == before
    assert (await bo.send("GET", f"/v1/picks/{world.deleted}")).status_code == 404


def test_every_route_declares_who_may_and_every_permission_has_a_route() -> None:
    assert {route.may for route in ROUTES.values()} == set(PERMISSIONS)
    assert all(isinstance(route.cost, int) and route.cost > 0 for route in ROUTES.values())
    assert len(ROUTES) == len(declared_routes())


def test_a_permission_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(TypeError, match="declare it"):
        permission("pick.fly")


def test_what_needs_a_token_says_so_in_openapi() -> None:
    paths = openapi(declared_routes())["paths"]

    for name, route in ROUTES.items():
        ways = paths[route.path][name.partition(" ")[0].lower()]["security"]
        assert ({} in ways) == route.permission.anonymous
        assert {"bearer": []} in ways
