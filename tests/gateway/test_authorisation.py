"""The authorisation matrix: every declared route against everybody who may come. No cell is left out."""

from collections.abc import Callable

import httpx
import pytest
from starlette.types import ASGIApp

from gateway.app import declared_routes
from gateway.openapi import openapi
from gateway.permissions import PERMISSIONS, permission
from infra.settings import Settings
from schemas.roles import MEMBER, ROLES, giving
from tests.gateway.matrix import (
    ALLOWED,
    KINDS,
    ONCE,
    ROUTES,
    World,
    a_world,
    as_kind,
    expected,
)
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, maker

OPERATIONS = {
    f"{method.upper()} {path}"
    for path, item in openapi(declared_routes())["paths"].items()
    for method in item
}


class Worlds:
    """Worlds by the kind of their owner, made when they are first needed."""

    def __init__(self, mesh: Mesh, servers: Settings, person: Callable[[], Person]) -> None:
        self._mesh, self._servers, self._person = mesh, servers, person
        self._made: dict[tuple[str, bool], tuple[World, Person]] = {}

    async def of(self, kind: str, *, once: bool = False, another: bool = False) -> tuple[World, Person]:
        """A world and its owner with the token of his kind; with `once` one that nobody else gets."""
        if once or (kind, another) not in self._made:
            owner = self._person()
            world = await a_world(self._mesh, owner, KINDS[kind])
            made = world, as_kind(owner, KINDS[kind], self._servers)
            if once:
                return made
            self._made[kind, another] = made
        return self._made[kind, another]


@pytest.fixture(scope="module")
def worlds(mesh: Mesh, servers: Settings, app: ASGIApp) -> Worlds:
    return Worlds(mesh, servers, maker(app, servers))


@pytest.fixture
async def world(worlds: Worlds) -> World:
    return (await worlds.of("member"))[0]


async def attempt(world: World, name: str, who: Person | None, anybody: httpx.AsyncClient) -> httpx.Response:
    """The owner's request, sent by somebody."""
    method, path, body = world.request(name)
    headers = WAIT | ({"if_match": "*"} if method == "PATCH" else {})
    if who is not None:
        return await who.send(method, path, body, **headers)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await anybody.request(method, path, json=body, headers=named)


def test_the_matrix_has_every_operation_of_openapi() -> None:
    assert set(ROUTES) == OPERATIONS
    assert len(ROUTES) == len(declared_routes())


@pytest.mark.parametrize("name", ROUTES)
async def test_anybody_without_a_token(world: World, anybody: httpx.AsyncClient, name: str) -> None:
    answer = await attempt(world, name, None, anybody)

    assert answer.status_code == expected(name, "anonymous", own=True), answer.text
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ROUTES)
async def test_ones_own(worlds: Worlds, anybody: httpx.AsyncClient, name: str, kind: str) -> None:
    world, owner = await worlds.of(kind, once=name in ONCE)

    answer = await attempt(world, name, owner, anybody)

    assert answer.status_code == expected(name, kind, own=True), answer.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ROUTES)
async def test_somebody_elses(worlds: Worlds, anybody: httpx.AsyncClient, name: str, kind: str) -> None:
    world, _ = await worlds.of("member")
    _, stranger = await worlds.of(kind, once=name in ONCE, another=True)

    answer = await attempt(world, name, stranger, anybody)

    assert answer.status_code == expected(name, kind, own=False), answer.text
    if name == "GET /v1/commands/{command_id}":
        assert (answer.json()["status"], answer.json()["type"]) == ("pending", None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_roles_is_the_matrix(kind: str) -> None:
    grants = KINDS[kind].roles or (MEMBER,)
    two_factors = KINDS[kind].assurance == 2
    for may, declared in PERMISSIONS.items():
        counting = [role for role in giving(grants, may) if two_factors or not role.second_factor]
        assert (declared.anonymous or bool(counting)) == (kind in ALLOWED[may]), may


def test_roles_have_permissions_of_routes_and_no_others() -> None:
    granted = {may for role in ROLES.values() for may in role.permissions}

    assert granted == {may for may, declared in PERMISSIONS.items() if not declared.anonymous}
    assert set(ALLOWED) == set(PERMISSIONS)


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer ", "Basic YTpi", "x", ""])
async def test_a_bad_token_is_worse_than_none(world: World, name: str, authorization: str) -> None:
    method, path, body = world.request(name)

    answer = await world.owner.send(method, path, body, authorization=authorization)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_what_somebody_else_tried_changed_nothing(
    world: World, anybody: httpx.AsyncClient, bo: Person
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


def test_a_permission_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(TypeError, match="declare it"):
        permission("pick.fly")


def test_what_needs_a_token_says_so_in_openapi() -> None:
    paths = openapi(declared_routes())["paths"]

    for name, route in ROUTES.items():
        ways = paths[route.path][name.partition(" ")[0].lower()]["security"]
        assert ({} in ways) == route.permission.anonymous
        assert {"bearer": []} in ways
