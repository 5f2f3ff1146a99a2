"""A TCP proxy that makes a network bad: slow, narrow, silent, cut. It is switched while it runs.

It has a thread and a loop of its own, so that a test that blocks does not hold up the network. The broker
tells its clients where it is; so that they go through a proxy, it must advertise the proxy's address.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
CHUNK: Final = 64 * 1024
LOOK: Final = 0.01
"""Seconds between looks whether a black hole has closed."""
WAITING: Final = 64
"""Chunks of a direction that are under way; then the sender must wait, as behind a full window."""
LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 seconds: close sends RST instead of FIN."""


@dataclass(frozen=True)
class Weather:
    """How the network is. `latency` and `jitter` (at most so much more) in seconds for each way, `bandwidth`
    in bytes a second for each direction of a connection. In a black hole nothing arrives and nobody is told;
    when it closes, what was under way arrives, as TCP repeats it."""

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    black_hole: bool = False


FAIR: Final = Weather()


class Proxy:
    """Forwards every connection to `target`, a port of this machine, as long as the context lasts."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self.weather = FAIR
        self._chance = random.Random(target)
        self._listener = socket.create_server((HOST, port))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are open to both sides."""
        return len(self._pairs)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def change(self, **weather: float | bool | None) -> None:
        """Change what is named; the rest stays. Holds for connections that are open, too."""
        self.weather = replace(self.weather, **weather)  # type: ignore[arg-type]  # the fields of Weather

    def reset(self) -> None:
        """Cut every connection with RST, both ways."""
        self._on_loop(self._reset)

    def half_close(self) -> None:
        """Tell every client that the server has no more to say; what the client says still arrives."""
        self._on_loop(self._half_close)

    def _half_close(self) -> None:
        for client, _ in self._pairs:
            client.write_eof()

    def _on_loop(self, act: Callable[[], object]) -> None:
        async def acting() -> None:
            act()

        asyncio.run_coroutine_threadsafe(acting(), self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._listener)

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reset()

    def _reset(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                with suppress(OSError):  # it is closed already
                    at_once = (socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
                    writer.get_extra_info("socket").setsockopt(*at_once)
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except OSError:
            pass  # a side went away: the other one is told by closing it
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passable()
        up_reader, up_writer = await asyncio.open_connection(HOST, self.target)
        pair = (writer, up_writer)
        self._pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, up_writer))
                both.create_task(self._carry(up_reader, writer))
        except* OSError:
            pass
        finally:
            self._pairs.discard(pair)
            up_writer.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One direction: bytes leave the source at once and arrive at the sink when the weather allows."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING)
        arriving = asyncio.create_task(self._deliver(under_way, sink))
        try:
            due = 0.0
            while chunk := await source.read(CHUNK):
                delay = self.weather.latency + self._chance.uniform(0, self.weather.jitter)
                due = max(due, self._loop.time() + delay)
                await under_way.put((due, chunk))
            await under_way.put((due, b""))
            await arriving
        finally:
            arriving.cancel()

    async def _deliver(
        self, under_way: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(due - self._loop.time())
            await self._passable()
            if not chunk:
                with suppress(OSError, RuntimeError):
                    sink.write_eof()
                return
            if (bandwidth := self.weather.bandwidth) is not None:
                await asyncio.sleep(len(chunk) / bandwidth)
            sink.write(chunk)
            await sink.drain()

    async def _passable(self) -> None:
        while self.weather.black_hole:  # noqa: ASYNC110 - it is switched by another thread
            await asyncio.sleep(LOOK)
