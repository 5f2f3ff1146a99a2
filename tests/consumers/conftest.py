"""A handler is a function: it gets a message, its envelope and a connection of its group's own role."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from infra.runtime import Db
from infra.settings import Settings


async def connection(settings: Settings, role: str) -> AsyncIterator[Db]:
    """A connection as `role`, in a transaction that is rolled back at the end of the test."""
    db = await asyncpg.connect(settings.dsn(role))
    transaction = db.transaction()
    await transaction.start()
    yield db
    await transaction.rollback()
    await db.close()


@pytest.fixture
async def curation_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "curation"):
        yield db


@pytest.fixture
async def social_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "social"):
        yield db


@pytest.fixture
async def picks_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "read_picks"):
        yield db


@pytest.fixture
async def things_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "read_things"):
        yield db


@pytest.fixture
async def accounts_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "read_accounts"):
        yield db


@pytest.fixture
async def factors_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "read_factors"):
        yield db


@pytest.fixture
async def sessions_db(migrated: Settings) -> AsyncIterator[Db]:
    async for db in connection(migrated, "read_sessions"):
        yield db
