"""A platform in memory behind a real HTTP server, and clients of it that do not wait long."""

from collections.abc import AsyncIterator, Iterator

import pytest

from clients.python import Pickly, Retry
from clients.python.fast import FastTransport
from tests.clients.platform import Platform
from tests.clients.server import free_port, serving

SOON = Retry(total=20.0, attempt=10.0, first=0.01, longest=0.05)


@pytest.fixture
def platform() -> Platform:
    """An empty platform."""
    return Platform()


@pytest.fixture
def address(platform: Platform) -> Iterator[str]:
    """Where the platform is served."""
    with serving(platform, free_port()) as address:
        yield address


@pytest.fixture(params=["httpx", "aiohttp"])
async def ana(request: pytest.FixtureRequest, address: str) -> AsyncIterator[Pickly]:
    """A client that acts as @ana, over each of the two transports."""
    transport = FastTransport() if request.param == "aiohttp" else None
    async with Pickly(address, token="token-of-ana", transport=transport, retry=SOON) as pickly:
        yield pickly
