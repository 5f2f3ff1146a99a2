"""The process that builds a projection beside the live one, and how the rebuild talks to it.

Orders come as JSON lines on its standard input: `[number, [[topic, partition, offset], ...]]`, as far as it
shall go. It answers on its standard output: how many records it has applied, and when it has arrived. It ends
when its input does, so it never outlives who gave the orders.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import TopicPartition

from infra.process import Process
from infra.roles import NEXT_SUFFIX
from infra.runtime.projection import Projection
from infra.runtime.shadow import Shadow
from infra.settings import Settings, settings

TELL_EVERY: Final = 0.2
STOP_SECONDS: Final = 10.0
READY, APPLIED, ARRIVED, FAILED = "ready", "applied", "arrived", "failed"

Targets = Mapping[TopicPartition, int]


class BuildError(RuntimeError):
    """The shadow cannot go on; says why."""


async def build(process: Process, projection: Projection) -> None:
    """Follow the orders on the standard input until it ends."""
    orders: asyncio.Queue[str] = asyncio.Queue()
    work = asyncio.create_task(_work(projection, orders))
    ends = [asyncio.create_task(process.stopping.wait()), asyncio.create_task(_listen(orders))]
    await asyncio.wait([work, *ends], return_when=asyncio.FIRST_COMPLETED)
    for task in (work, *ends):
        task.cancel()
    (ended, *_) = await asyncio.gather(work, *ends, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended


async def _listen(orders: "asyncio.Queue[str]") -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        orders.put_nowait(line.decode())


async def _work(projection: Projection, orders: "asyncio.Queue[str]") -> None:
    shadow = Shadow(projection, settings())
    try:
        await shadow.start()
        _say(READY, 0)
        while True:
            number, places = json.loads(await orders.get())
            counter = _Counter()
            await shadow.advance({TopicPartition(t, p): offset for t, p, offset in places}, counter)
            counter.tell()
            _say(ARRIVED, number)
    except Exception as error:
        _say(FAILED, str(error) or repr(error))
        raise
    finally:
        await shadow.stop()


class _Counter:
    """Adds up, and tells now and then."""

    def __init__(self) -> None:
        self._records = 0
        self._next = 0.0

    def __call__(self, records: int) -> None:
        self._records += records
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TELL_EVERY
            self.tell()

    def tell(self) -> None:
        _say(APPLIED, self._records)
        self._records = 0


def _say(what: str, value: object) -> None:
    sys.stdout.write(json.dumps([what, value]) + "\n")
    sys.stdout.flush()


class Builder:
    """The process, as the rebuild sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._orders = 0

    async def advance(self, targets: Targets, applied: Callable[[int], None]) -> None:
        """Let it apply everything before the targets; returns when it stands there. Raises BuildError.

        May be cancelled: it then goes on by itself, and the next order follows.
        """
        self._orders += 1
        order = [self._orders, [[*place, offset] for place, offset in targets.items()]]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        while (heard := await self.hear()) != (ARRIVED, self._orders):
            if heard[0] == APPLIED:
                applied(heard[1])

    async def hear(self) -> tuple[str, int]:
        """The next thing that it says. Raises BuildError when it has failed or ended."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            code = await self._process.wait()
            raise BuildError(f"the process that builds it ended with {code}; its log is above")
        what, value = json.loads(line)
        if what == FAILED:
            raise BuildError(value)
        return what, value

    async def stop(self) -> None:
        """Let it end, by force if it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def building(config: Settings, projection: str) -> AsyncIterator[Builder]:
    """The started process, which has taken its positions. Raises BuildError."""
    where = config.model_dump(include={"kafka", "database", "valkey", "s3", "secrets"})
    own = {f"PICKLY_{name.upper()}": str(value) for name, value in where.items()}
    own |= {
        "PICKLY_PROCESS": f"{projection}{NEXT_SUFFIX}",
        "PICKLY_HTTP_PORT": "0",
        "PICKLY_LOG_LEVEL": "WARNING",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumers", "--next", projection),
        env=os.environ | own,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the rebuild, which then ends it
    )
    builder = Builder(process)
    try:
        await builder.hear()
        yield builder
    finally:
        await builder.stop()
