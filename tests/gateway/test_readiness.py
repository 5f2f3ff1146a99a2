"""A gateway whose read models are far behind is not ready, and says which."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from gateway.config import GatewaySettings
from gateway.readiness import Readiness
from gateway.reads.database import open_database
from infra.ops.migrate import migrate
from infra.settings import Settings
from producers.send import Sender
from tests.gateway.mesh import Mesh, open_mesh
from tests.gateway.tables import At

LONG_AGO = datetime.now(UTC) - timedelta(minutes=5)
PICK, THING = At("pick.events", 3, 17), At("thing.events", 1, 4)


@pytest.fixture
async def quiet(settings: Settings) -> AsyncIterator[Settings]:
    """A database in which nothing has happened."""
    superuser = await asyncpg.connect(settings.dsn("postgres"))
    name = f"quiet_{uuid4().hex}"
    await superuser.execute(f"CREATE DATABASE {name} OWNER migrate")
    own = settings.model_copy(update={"database": settings.database.rpartition("/")[0] + f"/{name}"})
    await migrate(own)
    yield own
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()


@pytest.fixture
async def world(quiet: Settings) -> AsyncIterator[tuple[Mesh, Readiness]]:
    """Tables to write by hand, and what looks at them."""
    async with open_mesh(quiet) as mesh, open_database(quiet, GatewaySettings()) as database:
        yield mesh, Readiness(database, Sender(quiet))


async def reasons(readiness: Readiness) -> str | None:
    """Why the projections are not ready, looked up now."""
    await readiness.look()
    assert readiness.database() is None
    return readiness.projections()


async def test_nothing_has_happened_is_ready(world: tuple[Mesh, Readiness]) -> None:
    assert await reasons(world[1]) is None


async def test_a_minute_behind_is_not_ready(world: tuple[Mesh, Readiness]) -> None:
    mesh, readiness = world
    await mesh.decide(uuid4(), events=[PICK, THING], at=LONG_AGO)
    await mesh.move("read_picks", PICK)
    await mesh.move("read_things", PICK)

    assert await reasons(readiness) == "read_things is more than 60 s behind"
    await mesh.stop("read_things", THING, None)
    assert await reasons(readiness) == "read_things is more than 60 s behind"

    await mesh.move("read_things", THING)
    assert await reasons(readiness) is None


async def test_a_moment_behind_is_ready(world: tuple[Mesh, Readiness]) -> None:
    mesh, readiness = world
    await mesh.decide(uuid4(), events=[PICK])

    assert await reasons(readiness) is None


async def test_one_partition_behind_is_enough(world: tuple[Mesh, Readiness]) -> None:
    mesh, readiness = world
    for partition in range(12):
        at = At("pick.events", partition, 9)
        await mesh.decide(uuid4(), events=[at], at=LONG_AGO)
        await mesh.move("read_things", at)
        if partition != 7:
            await mesh.move("read_picks", at)

    assert await reasons(readiness) == "read_picks is more than 60 s behind"


async def test_a_partition_that_stands_still_is_not_ready(world: tuple[Mesh, Readiness]) -> None:
    mesh, readiness = world
    await mesh.stop("read_picks", PICK, "the circuit is open")

    assert await reasons(readiness) == "read_picks stands still on pick.events/3: the circuit is open"


async def test_events_that_wait_for_the_relay_are_not_ready(world: tuple[Mesh, Readiness]) -> None:
    mesh, readiness = world
    await mesh.decide(uuid4(), expected=2, events=[], at=LONG_AGO)

    assert await reasons(readiness) == "events of curation wait for the relay for over 60 s"


async def test_a_database_without_tables_is_not_ready(settings: Settings) -> None:
    empty = settings.model_copy(update={"database": settings.database.rpartition("/")[0] + "/postgres"})
    async with open_database(empty, GatewaySettings()) as database:
        readiness = Readiness(database, Sender(settings))
        await readiness.look()

    why = readiness.database()
    assert why is not None
    assert "migrated" in why
