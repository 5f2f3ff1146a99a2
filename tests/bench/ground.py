"""What a benchmark stands on: topics without records, a database of its own, processes of the platform."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil

from infra.ops import topics
from infra.ops.migrate import migrate
from infra.ops.topic_broker import admin_of
from infra.settings import Settings
from infra.tokens import mint
from schemas.topics import TOPICS
from tests.journeys.stack import Stack
from tests.producers.world import on_database

PATIENCE = 60.0
UNLIMITED = {
    "PICKLY_GATEWAY_ACCOUNT_RATE": "1000000",
    "PICKLY_GATEWAY_ACCOUNT_BURST": "20000000",
    "PICKLY_GATEWAY_ADDRESS_RATE": "1000000",
    "PICKLY_GATEWAY_ADDRESS_BURST": "20000000",
}
"""The limits are checked and charged as ever, and never reached."""


@asynccontextmanager
async def platform(config: Settings) -> AsyncIterator[Settings]:
    """Empty topics, whatever was on them, and a migrated database that is dropped afterwards."""
    await empty_topics(config)
    own = on_database(config, f"bench_{uuid4().hex[:12]}")
    name = own.database.rpartition("/")[2]
    admin = await asyncpg.connect(config.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name} OWNER migrate")
    try:
        await migrate(own)
        yield own
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def empty_topics(config: Settings) -> None:
    """Delete all declared topics, and make them anew."""
    async with asyncio.timeout(PATIENCE):
        async with admin_of(config.kafka) as admin:
            if there := TOPICS.keys() & set(await admin.list_topics()):
                await admin.delete_topics(sorted(there))
            while TOPICS.keys() & set(await admin.list_topics()):  # noqa: ASYNC110  # no event tells it
                await asyncio.sleep(0.05)
        await topics.apply(config)


@contextmanager
def processes(own: Settings, extra: Mapping[str, str] = UNLIMITED) -> Iterator[Stack]:
    """Processes of ours on the platform, stopped afterwards; their logs are deleted."""
    with tempfile.TemporaryDirectory(prefix="pickly-bench-") as folder:
        stack = Stack({"PICKLY_DATABASE": own.database, **extra}, Path(folder))
        try:
            yield stack
        finally:
            stack.stop()


@asynccontextmanager
async def inside(own: Settings, schema: str) -> AsyncIterator["asyncpg.Connection"]:
    """A connection that may do everything, with `schema` as its search path."""
    connection = await asyncpg.connect(own.dsn("postgres"), server_settings={"search_path": schema})
    try:
        yield connection
    finally:
        await connection.close()


async def postmaster(connection: "asyncpg.Connection") -> int:
    """The process id of the server behind a connection, which runs on this machine."""
    parent = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).parent()
    if parent is None:
        raise RuntimeError("PostgreSQL's process is not on this machine")
    return parent.pid


def bearers(own: Settings, count: int) -> list[str]:
    """Access tokens of so many accounts, good for ten minutes."""
    return [mint(f"bench-{number}", settings=own) for number in range(count)]
