"""Handlers of identity with a real PostgreSQL, and key pairs as a tick would have made them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from consumers.auth import hashing, key_pairs, vault
from consumers.auth.store import keys
from infra.runtime import Db
from infra.settings import Settings
from tests.consumers.conftest import connection
from tests.given import NOON


@pytest.fixture(autouse=True)
def fresh_vault(migrated: Settings) -> Iterator[None]:
    """Key files of this run, whatever another test has read before."""
    vault.ring.cache_clear()
    hashing.hasher.cache_clear()
    yield
    vault.ring.cache_clear()


@pytest.fixture
async def auth_db(migrated: Settings) -> AsyncIterator[Db]:
    """A connection as `auth`, with a key pair of each use."""
    async for db in connection(migrated, "auth"):
        for make in key_pairs.MAKERS.values():
            await keys.add(db, make(NOON))
        yield db
