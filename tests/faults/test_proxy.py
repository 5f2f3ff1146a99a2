"""The proxy does to a connection what its weather says, and nothing in fair weather."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import FAIR, HOST, Proxy

PATIENCE = 20.0
LONG = bytes(range(256)) * 4_000


class Echo:
    """A server that says everything again; `heard` is what came in."""

    def __init__(self) -> None:
        self.heard = b""
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Echo"]:
        server = await asyncio.start_server(self._answer, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()

    async def until_heard(self, text: bytes) -> None:
        """Wait until exactly this has come in."""
        while self.heard != text:  # noqa: ASYNC110 - what comes in is seen by looking
            await asyncio.sleep(0.01)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                self.heard += chunk
                writer.write(chunk)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    async with Echo().running() as echo:
        yield echo


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port) as proxy:
        yield proxy


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def connection(proxy: Proxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    yield reader, writer
    writer.transport.abort()


async def said(connection: Connection, text: bytes) -> bytes:
    """What comes back."""
    reader, writer = connection
    writer.write(text)
    async with asyncio.timeout(PATIENCE):
        return await reader.readexactly(len(text))


async def test_in_fair_weather_all_bytes_arrive_in_order(connection: Connection) -> None:
    assert await said(connection, LONG) == LONG


async def test_latency_delays_each_way_and_keeps_the_order(proxy: Proxy, connection: Connection) -> None:
    proxy.change(latency=0.1, jitter=0.05)
    began = time.monotonic()

    assert await said(connection, LONG) == LONG

    assert time.monotonic() - began >= 0.2


async def test_bandwidth_stretches_what_is_sent(proxy: Proxy, connection: Connection) -> None:
    proxy.change(bandwidth=len(LONG) * 4)
    began = time.monotonic()

    assert await said(connection, LONG) == LONG

    assert time.monotonic() - began >= 0.25


async def test_a_black_hole_takes_everything_and_gives_it_back_when_it_closes(
    proxy: Proxy, connection: Connection, echo: Echo
) -> None:
    assert await said(connection, b"before") == b"before"
    proxy.change(black_hole=True)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await said(connection, b"within")
    heard = echo.heard
    proxy.weather = FAIR

    assert heard == b"before"
    async with asyncio.timeout(PATIENCE):
        assert await connection[0].readexactly(6) == b"within"


async def test_who_connects_into_a_black_hole_hears_nothing_until_it_closes(proxy: Proxy) -> None:
    proxy.change(black_hole=True)
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    writer.write(b"hello")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await reader.readexactly(5)
    assert proxy.connections == 0
    proxy.weather = FAIR

    async with asyncio.timeout(PATIENCE):
        assert await reader.readexactly(5) == b"hello"
    writer.transport.abort()


async def test_a_reset_is_felt_by_both_and_the_next_connection_works(
    proxy: Proxy, connection: Connection, echo: Echo
) -> None:
    assert await said(connection, b"before") == b"before"

    proxy.reset()

    with pytest.raises(ConnectionError):
        await said(connection, b"after")
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    assert await said((reader, writer), b"again") == b"again"
    assert echo.heard == b"beforeagain"
    writer.transport.abort()


async def test_after_a_half_close_the_other_direction_still_works(
    proxy: Proxy, connection: Connection, echo: Echo
) -> None:
    reader, writer = connection
    assert await said(connection, b"before") == b"before"

    proxy.half_close()

    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
        writer.write(b"after")
        await echo.until_heard(b"beforeafter")


async def test_who_says_no_more_is_still_answered(connection: Connection) -> None:
    reader, writer = connection
    writer.write(b"last words")
    writer.write_eof()

    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b"last words"


async def test_nobody_behind_it_is_a_closed_connection() -> None:
    with Proxy(1) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.transport.abort()
