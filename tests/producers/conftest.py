"""Topics and senders for the tests of the producers."""

from collections.abc import AsyncIterator

import pytest

from infra.ops import topics as ops_topics
from infra.settings import Settings
from producers.send import Sender
from tests.producers.world import World, new_world


@pytest.fixture(scope="session")
async def kafka(settings: Settings) -> Settings:
    """The settings of a run whose broker has every declared topic."""
    await ops_topics.apply(settings)
    return settings


@pytest.fixture
async def sender(kafka: Settings) -> AsyncIterator[Sender]:
    """A started sender."""
    sender = Sender(kafka)
    await sender.start()
    yield sender
    await sender.stop()


@pytest.fixture(scope="module")
async def database(kafka: Settings) -> AsyncIterator[World]:
    """One migrated database for the tests of a module."""
    async with new_world(kafka) as world:
        yield world


@pytest.fixture
async def world(database: World) -> World:
    """That database, empty."""
    await database.clear()
    return database
