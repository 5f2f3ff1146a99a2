"""Raw connections, for what no HTTP client would send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.people import Person

GET = b"GET /v1/feeds/latest?limit=1 HTTP/1.1\r\nHost: a\r\n"
HEAD = b"POST /v1/picks HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
PATIENCE = 30


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def exchange(port: int, data: bytes) -> bytes:
    """Send bytes; everything that comes back until the server closes."""
    async with connected(port) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(data)
        return await reader.read()


async def drip(port: int, start: bytes, drop: bytes) -> bytes:
    """Send a beginning, then drop by drop until the server closes; what it said."""
    said = b""
    async with connected(port) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(start)
        while not reader.at_eof():
            writer.write(drop)
            try:
                async with asyncio.timeout(0.05):
                    said += await reader.read(65536)
            except TimeoutError:
                continue
            except ConnectionError:  # reset, or a broken pipe: it is closed
                break
    return said


async def post(ana: Person) -> bytes:
    """The head of a good POST, but for its length."""
    return HEAD + f"Authorization: Bearer {ana.token}\r\n".encode()
