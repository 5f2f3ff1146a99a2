"""Nobody sets what is not his to set: a field beside those that a route declares is refused by name."""

from typing import Any
from uuid import uuid4

import pytest
from starlette.types import ASGIApp

from gateway.routing.reads import ReadRoute
from infra.settings import Settings
from tests.gateway.matrix import KINDS, ROUTES, World, a_world, as_kind, takes_a_body
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, maker, slug

FIELDS: dict[str, Any] = {
    "role": "owner",
    "roles": ["owner"],
    "owner_id": str(uuid4()),
    "account_id": str(uuid4()),
    "author_id": str(uuid4()),
    "id": str(uuid4()),
    "created_at": "2020-01-01T00:00:00Z",
    "opened_at": "2020-01-01T00:00:00Z",
    "version": 99,
    "standing": "active",
    "assurance": 2,
    "__class__": "x",
}
WRITES = [name for name, route in ROUTES.items() if not isinstance(route, ReadRoute)]


@pytest.fixture(scope="module")
async def staff(mesh: Mesh, servers: Settings, app: ASGIApp) -> tuple[World, Person]:
    """Who may call every route."""
    owner = maker(app, servers)()
    return await a_world(mesh, owner, KINDS["owner"]), as_kind(owner, KINDS["owner"], servers)


@pytest.mark.parametrize("name", WRITES)
async def test_a_field_that_a_route_does_not_declare_is_refused(
    mesh: Mesh, staff: tuple[World, Person], name: str
) -> None:
    world, who = staff
    method, path, body = world.request(name)
    before = mesh.effects.total()

    for field, value in FIELDS.items():
        answer = await who.send(method, path, (body or {}) | {field: value}, if_match="*")

        assert (answer.status_code, slug(answer)) == (422, "invalid"), field
        (error,) = answer.json()["errors"]
        assert (error["field"], error["rule"]) == (
            field if takes_a_body(ROUTES[name]) else "body",
            "unknown_field",
        )
    assert mesh.effects.total() == before


@pytest.mark.parametrize("name", WRITES)
async def test_nor_is_it_taken_from_the_query(mesh: Mesh, staff: tuple[World, Person], name: str) -> None:
    world, who = staff
    method, path, body = world.request(name)

    for field in FIELDS:
        answer = await who.send(method, f"{path}?{field}=1", body, if_match="*")

        assert (answer.status_code, slug(answer)) == (422, "invalid"), field
        assert answer.json()["errors"][0]["field"] == field
