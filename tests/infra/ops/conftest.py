"""Databases of their own for the tests of migrations: empty ones, and one that is migrated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from infra.ops.migrate import migrate
from infra.settings import Settings

if TYPE_CHECKING:
    from asyncpg import Connection


def on_database(settings: Settings, name: str) -> Settings:
    """The same servers, another database."""
    return settings.model_copy(
        update={"database": urlunsplit(urlsplit(settings.database)._replace(path=f"/{name}"))}
    )


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Settings]:
    name = f"ops_{uuid4().hex}"
    superuser = await asyncpg.connect(on_database(settings, "postgres").dsn("postgres"))
    await superuser.execute(f"CREATE DATABASE {name} OWNER migrate")
    try:
        yield on_database(settings, name)
    finally:
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await superuser.close()


@pytest.fixture
async def empty(settings: Settings) -> AsyncIterator[Settings]:
    """An empty database that belongs to `migrate`, as the launcher makes it."""
    async with _database(settings) as own:
        yield own


@pytest.fixture(scope="session")
async def migrated(settings: Settings) -> AsyncIterator[Settings]:
    """A migrated database, for tests that leave it as it was."""
    async with _database(settings) as own:
        await migrate(own)
        yield own


Connect = Callable[[Settings, str], Awaitable["Connection"]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`await connect(settings, role)`: a connection as that role, closed after the test."""
    opened: list[Connection] = []

    async def open_one(settings: Settings, role: str) -> "Connection":
        opened.append(await asyncpg.connect(settings.dsn(role)))
        return opened[-1]

    yield open_one
    await asyncio.gather(*(connection.close() for connection in opened))


async def tables_of(connection: "Connection", schema: str) -> set[str]:
    """The names of the tables in a schema."""
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", schema)
    return {row["tablename"] for row in rows}
