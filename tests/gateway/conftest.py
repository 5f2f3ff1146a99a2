"""A gateway over real servers: as an ASGI application, and on a socket of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.config import GatewaySettings, Quota
from gateway.server import GatewayServer
from gateway.services import Services, open_services
from infra.ops import topics
from infra.ops.migrate import migrate
from infra.settings import Settings
from tests.gateway.mesh import Mesh, following, open_mesh
from tests.gateway.people import Person, maker, probes, until

PLENTY = Quota(10_000, 1)
IMPATIENT = GatewaySettings(
    header_seconds=1,
    body_seconds=1,
    see_seconds=1,
    registration_limit=PLENTY,
    verification_limit=PLENTY,
    sign_in_limit=PLENTY,
    token_refresh_limit=PLENTY,
)


@pytest.fixture(scope="session")
async def servers(settings: Settings) -> AsyncIterator[Settings]:
    """The servers with every topic, and a migrated database of our own."""
    await topics.apply(settings)
    name = f"gateway_{uuid4().hex}"
    superuser = await asyncpg.connect(settings.dsn("postgres"))
    await superuser.execute(f"CREATE DATABASE {name} OWNER migrate")
    address = urlsplit(settings.database)._replace(path=f"/{name}")
    own = settings.model_copy(update={"database": address.geturl()})
    try:
        await migrate(own)
        yield own
    finally:
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await superuser.close()


@pytest.fixture(scope="session")
async def mesh(servers: Settings) -> AsyncIterator[Mesh]:
    """The mesh, with something that follows the command topics."""
    async with open_mesh(servers) as mesh, following(servers, mesh):
        yield mesh


@pytest.fixture(scope="session")
async def services(servers: Settings) -> AsyncIterator[Services]:
    """What the gateway of these tests runs on."""
    async with open_services(servers, IMPATIENT) as services:
        yield services


@pytest.fixture(scope="session")
def app(services: Services) -> ASGIApp:
    """The gateway."""
    return create_app(services, probes)


@pytest.fixture(scope="session")
async def anybody(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


@pytest.fixture
def person(servers: Settings, app: ASGIApp) -> Callable[[], Person]:
    """Makes people, each with an account of its own that has done nothing yet."""
    return maker(app, servers)


@pytest.fixture
def ana(person: Callable[[], Person]) -> Person:
    """Somebody."""
    return person()


@pytest.fixture
def bo(person: Callable[[], Person]) -> Person:
    """Somebody else."""
    return person()


@asynccontextmanager
async def serving(app: ASGIApp, limits: GatewaySettings = IMPATIENT) -> AsyncIterator[int]:
    """The application on a port of 127.0.0.1, as `python -m gateway` serves it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = GatewayServer(app, limits, lambda: None)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def port(app: ASGIApp) -> AsyncIterator[int]:
    """The port of a served gateway with deadlines of one second."""
    async with serving(app) as port:
        yield port
