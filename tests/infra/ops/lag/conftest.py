"""One world for the tests of lag and trace: each begins with groups that have read everything."""

from collections.abc import AsyncIterator

import pytest

from infra.ops import topics
from infra.ops.migrate import migrate
from infra.settings import Settings
from tests.infra.ops.lag.world import World, world_on


@pytest.fixture
async def world(empty: Settings) -> AsyncIterator[World]:
    """Topics, a migrated database of this test's own, and groups without lag."""
    await topics.apply(empty)
    await migrate(empty)
    async with world_on(empty) as world:
        await world.catch_up()
        yield world
