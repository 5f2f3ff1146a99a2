"""Writes on connections that were reset."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

from infra.writers import WRITES, tell_of_resets


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {name: getattr(asyncio.StreamWriter, name) for name in WRITES}
    yield
    for name, write in before.items():
        setattr(asyncio.StreamWriter, name, write)


async def reset_connection() -> asyncio.StreamWriter:
    """Our end of a connection that the other end has cut, as soon as the loop has noticed."""
    held: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: held.put_nowait(writer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    other = await held.get()
    never = struct.pack("ii", 1, 0)
    other.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, never)
    other.transport.abort()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    server.close()
    return writer


def on_uvloop(name: str, data: Any) -> None:
    async def write() -> None:
        getattr(await reset_connection(), name)(data)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write())


CASES = pytest.mark.parametrize(("name", "data"), [("write", b"x"), ("writelines", [b"x"])])


@CASES
def test_a_write_on_a_reset_connection_is_a_reset(name: str, data: Any) -> None:
    tell_of_resets()
    tell_of_resets()

    with pytest.raises(ConnectionResetError):
        on_uvloop(name, data)


@CASES
def test_uvloop_alone_calls_it_something_else(name: str, data: Any) -> None:
    """When this fails, uvloop has learned it, and infra/writers.py can go."""
    with pytest.raises(RuntimeError):
        on_uvloop(name, data)


async def test_a_write_that_fails_otherwise_fails_as_it_did() -> None:
    tell_of_resets()
    reader = asyncio.StreamReader()

    class Broken(asyncio.Transport):
        def write(self, *_: object) -> None:
            raise RuntimeError("something else")

        def close(self) -> None:
            """The writer does so when it goes."""

        def is_closing(self) -> bool:
            return False

    protocol = asyncio.StreamReaderProtocol(reader)
    writer = asyncio.StreamWriter(Broken(), protocol, reader, asyncio.get_running_loop())

    with pytest.raises(RuntimeError, match="something else"):
        writer.write(b"x")
