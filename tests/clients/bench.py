"""What one publication costs the client, by transport: `python -m tests.clients.bench`. Needs no stack.

The server is another process that answers 202 at once. The best of three rounds counts.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvloop
from rich.console import Console
from rich.table import Table
from starlette.types import Receive, Scope, Send

from clients.python import NewPick, NewThing, Pickly
from clients.python.fast import FastTransport
from tests.clients.server import free_port

ROOT = Path(__file__).parents[2]
ROUNDS = 3
ACCEPTED = b'{"command_id":"%b","resource":"/v1/picks/%b","status":"pending"}' % ((b"0" * 32,) * 2)
HEADERS = [(b"content-length", str(len(ACCEPTED)).encode()), (b"location", b"/v1/commands/" + b"0" * 32)]
FILM = NewThing(ref="movielens:1", kind="film", title="Toy Story (1995)")
A_PICK = NewPick(thing=FILM, rating=4, tags=["animation"], picked_at=datetime(1997, 9, 20, tzinfo=UTC))
ROWS = (("httpx", 8, 2_000), ("httpx", 64, 2_000), ("aiohttp", 16, 10_000), ("aiohttp", 64, 10_000))


async def accept(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app that accepts everything."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
        await send({"type": "http.response.body", "body": ACCEPTED})


@contextmanager
def server() -> Iterator[str]:
    """The app in a process of its own."""
    port = free_port()
    options = ["--port", str(port), "--log-level", "error", "--no-access-log"]
    command = [sys.executable, "-m", "uvicorn", "tests.clients.bench:accept", *options]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


async def measure(
    url: str, transport: httpx.AsyncBaseTransport, in_flight: int, total: int
) -> tuple[float, float]:
    """CPU seconds of this process and wall seconds for one publication."""
    token = "x" * 500
    async with Pickly(url, token=token, transport=transport) as pickly:
        await publish(pickly, in_flight, in_flight)
        cpu, wall = time.process_time(), time.perf_counter()
        await publish(pickly, in_flight, total)
        return (time.process_time() - cpu) / total, (time.perf_counter() - wall) / total


async def publish(pickly: Pickly, in_flight: int, total: int) -> None:
    """Publish `total` picks."""
    numbers = iter(range(total))

    async def worker() -> None:
        for number in numbers:
            await pickly.publish(A_PICK, key=f"bench-{number}")

    await asyncio.gather(*(worker() for _ in range(in_flight)))


def main() -> None:
    """Print the table."""
    table = Table("transport", "in flight", "CPU microseconds", "requests a second")
    with server() as url:
        for name, in_flight, total in ROWS:
            rounds = []
            for _ in range(ROUNDS):
                transport = FastTransport() if name == "aiohttp" else httpx.AsyncHTTPTransport()
                rounds.append(uvloop.run(measure(url, transport, in_flight, total)))
            cpu, wall = min(rounds)
            table.add_row(name, str(in_flight), f"{cpu * 1e6:,.0f}", f"{1 / wall:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
