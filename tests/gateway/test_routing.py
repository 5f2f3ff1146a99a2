"""Declared routes run the same in the table and in FastAPI, and nothing is described that does not run."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import Depends, FastAPI, Header
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import ROUTERS
from gateway.reads.represent import Representation
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.declared import DeclaredRoute
from gateway.routing.reads import Look, ReadRouter
from gateway.routing.table import Table
from gateway.services import Services
from gateway.shapes import Pick
from schemas.picks import DeletePick
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, new_pick, slug


class Beside:
    """Gives an application what the table and the edge would give it."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(services=self._services, request_id=uuid4().hex, client_address="127.0.0.1")
        await self._app(scope, receive, send)


def included() -> FastAPI:
    """FastAPI with every router included under a prefix."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router, prefix="/beta")
    return app


def extended() -> FastAPI:
    """FastAPI with every route put in as it is."""
    app = FastAPI()
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    return app


@pytest.fixture(params=[(included, "/beta"), (extended, "")], ids=["include_router", "routes.extend"])
def inside(request: pytest.FixtureRequest, services: Services, ana: Person) -> tuple[Person, str]:
    """Ana, talking to FastAPI without the table, and the prefix."""
    make, prefix = request.param
    return Person(Beside(make(), services), ana.handle, ana.account, ana.token), prefix


async def test_in_fastapi_a_command_runs_as_declared(mesh: Mesh, inside: tuple[Person, str]) -> None:
    who, prefix = inside

    answer = await who.send("POST", f"{prefix}/v1/picks", new_pick(), prefer="wait=10")

    assert answer.status_code == 201
    assert (await who.send("GET", prefix + answer.headers["location"])).json() == answer.json()


async def test_in_fastapi_another_method_runs_no_command(mesh: Mesh, inside: tuple[Person, str]) -> None:
    who, prefix = inside

    for method in ("GET", "PUT", "DELETE"):
        answer = await who.send(method, f"{prefix}/v1/picks", new_pick())
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert "pickly-command" not in answer.headers


async def test_in_fastapi_checks_are_the_same(mesh: Mesh, inside: tuple[Person, str]) -> None:
    who, prefix = inside

    path = f"{prefix}/v1/picks"

    assert (await who.send("POST", path, b'{"a":1,"a":2}')).status_code == 400
    assert (await who.send("POST", path, new_pick(), authorization="x")).status_code == 401
    assert (await who.send("POST", path, new_pick(), content_type="text/plain")).status_code == 415


def never() -> None:
    """A check that would never run."""
    raise AssertionError


def in_a_parameter(pick_id: UUID, caller: Call, checked: Annotated[None, Depends(never)]) -> DeletePick:
    raise NotImplementedError


def with_a_header(pick_id: UUID, caller: Call, role: Annotated[str, Header()]) -> DeletePick:
    raise NotImplementedError


def without_a_caller(pick_id: UUID) -> DeletePick:
    raise NotImplementedError


@pytest.mark.parametrize("function", [in_a_parameter, with_a_header, without_a_caller])
def test_a_dependency_that_would_never_run_is_refused(function: Callable[..., DeletePick]) -> None:
    with pytest.raises(TypeError, match="never run"):
        CommandRouter("Test").command("DELETE", "/v1/picks/{pick_id}", may="pick.change")(function)


def test_a_dependency_of_the_router_is_refused_too() -> None:
    router = CommandRouter("Test")
    router.dependencies = [Depends(never)]

    def delete(pick_id: UUID, caller: Call) -> DeletePick:
        raise NotImplementedError

    with pytest.raises(TypeError, match="never run"):
        router.command("DELETE", "/v1/picks/{pick_id}", may="pick.change")(delete)


def test_a_route_that_reads_what_nobody_projects_is_refused() -> None:
    async def show(look: Look) -> Representation:
        raise NotImplementedError

    with pytest.raises(TypeError, match="read_nothing"):
        ReadRouter("Test").read("/v1/x", reads=("read_nothing",), may="public.read", shows=Pick)(show)


def test_a_path_that_the_table_could_not_find_is_refused(services: Services) -> None:
    router = ReadRouter("Test")

    async def show(name: str, look: Look) -> Representation:
        raise NotImplementedError

    router.read("/v1/{name}", reads=(), may="public.read", shows=Pick)(show)
    routes = [route for route in router.routes if isinstance(route, DeclaredRoute)]
    with pytest.raises(TypeError, match="two fixed segments"):
        Table(routes, {}, services)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/picks", "OPTIONS, POST"),
        ("PUT", "/v1/picks/x", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("POST", "/v1/picks/x/reactions/like", "DELETE, OPTIONS, PUT"),
        ("POST", "/v1/feeds/latest", "GET, HEAD, OPTIONS"),
        ("DELETE", "/openapi.json", "GET, HEAD, OPTIONS"),
        ("BREW", "/v1/picks", "OPTIONS, POST"),
    ],
)
async def test_another_method_is_405_with_what_is_possible(
    anybody: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await anybody.request(method, path)

    assert (answer.status_code, slug(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v2/picks", "/v1/picks/", "/v1/picks/x/y", "/v1/picks/x/reactions/like/z", "/docs/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_another_path_is_404(anybody: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await anybody.request(method, f"http://gateway{path}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_browser_of_any_origin_may_ask_first(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.options(
        "/v1/picks/x", headers={"origin": "https://app.example.org", "access-control-request-method": "PATCH"}
    )

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers
