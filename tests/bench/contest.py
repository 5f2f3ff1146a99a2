"""Servers that do the same job under the same load, one after the other: answers per CPU second of each."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from tempfile import TemporaryDirectory

from tests.bench import cpu, node
from tests.bench.effort import Effort
from tests.bench.http import Load, closed_loop, connect, request
from tests.journeys.stack import free_port

CLIENTS = 32
START_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """A process that answers on a port of loopback."""

    port: int
    pid: int


@dataclass
class Score:
    """What one server did, round by round."""

    per_cpu_second: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def add(self, load: Load, good: int, seconds: float) -> None:
        """A round with so many good answers and CPU seconds."""
        self.per_cpu_second.append(good / seconds)
        self.per_second.append(good / load.seconds)
        self.p50.append(load.percentile(0.5))
        self.p99.append(load.percentile(0.99))


Audit = Callable[[str, int], Awaitable[None]]
"""Called after every round with the server's name and the number of good answers; raises when it lied."""


async def contest(
    servers: Mapping[str, Server], requests: Iterator[bytes], status: int, audit: Audit, effort: Effort
) -> dict[str, Score]:
    """All servers in turn, as often as `effort` says, after a round that warms up and does not count.

    Raises RuntimeError for any answer with another status.
    """
    scores = {name: Score() for name in servers}
    for turn in range(effort.repetitions + 1):
        for name, server in servers.items():
            seconds = effort.seconds if turn else effort.seconds / 2
            before = cpu.spent(server.pid)
            load = await closed_loop(server.port, CLIENTS, seconds, requests)
            used = cpu.spent(server.pid) - before
            if set(load.statuses) != {status}:
                raise RuntimeError(f"{name} answered {dict(load.statuses)}, not only {status}")
            await audit(name, load.statuses[status])
            if turn:
                scores[name].add(load, load.statuses[status], used)
    return scores


@contextmanager
def peer(script: str, **variables: str) -> Iterator[Server]:
    """A peer for Node, running; stopped afterwards."""
    port = free_port()
    with TemporaryDirectory(prefix="pickly-peer-") as folder:
        log = Path(folder) / "log"
        process = node.start(script, port, log, **variables)
        try:
            yield Server(port, process.pid)
        except Exception as error:
            error.add_note(f"{script} said: {log.read_text()[-2000:] or 'nothing'}")
            raise
        finally:
            _stop(process)


def _stop(process: "Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except TimeoutExpired:
        process.kill()
        process.wait()


async def until_ready(server: Server) -> None:
    """Return when the server answers /readyz with 200."""
    deadline = time.monotonic() + START_SECONDS
    while not await _ready(server):
        if time.monotonic() > deadline:
            raise node.PeerError(f"the server on port {server.port} is not ready after {START_SECONDS:.0f} s")
        await asyncio.sleep(0.05)


async def _ready(server: Server) -> bool:
    try:
        connection = await connect(server.port)
        answer = await connection.ask(request("GET", "/readyz"))
    except OSError:
        return False
    connection.close()
    return answer.status == 200
