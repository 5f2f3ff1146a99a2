"""A client that costs little: raw requests over kept connections, answers counted, nothing else read."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, head and body of one answer."""

    status: int
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to ask."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one, but does not inherit

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits learns it."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Complete the answer when its last byte is here; every server here sends Content-Length."""
        buffer = self._buffer
        buffer += data
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        head = bytes(buffer[:end])
        length = _length(head)
        if len(buffer) < end + 4 + length:
            return
        self._answer.set_result(Answer(int(head[9:12]), head, bytes(buffer[end + 4 : end + 4 + length])))
        self._answer = None
        del buffer[: end + 4 + length]

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send a request, and get what answers it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._transport.write(request)
        return answer

    def close(self) -> None:
        """Say goodbye."""
        self._transport.close()


def _length(head: bytes) -> int:
    start = head.lower().find(b"\r\ncontent-length:")
    return 0 if start < 0 else int(head[start + 17 :].split(b"\r\n", 1)[0])


async def connect(port: int) -> Connection:
    """A connection to a server on loopback."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, port)
    return connection


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; underscores in header names stand for hyphens."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {HOST}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Load:
    """What came back: how many of each status, and the latencies in seconds, sorted."""

    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that this share of the answers did not exceed."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))] * 1e3


async def closed_loop(port: int, clients: int, seconds: float, requests: Iterator[bytes]) -> Load:
    """`clients` connections that send their next request when the last is answered.

    Returns when every request that was sent is answered, so the counts are exact.
    """
    load, began = Load(), time.perf_counter()
    connections = [await connect(port) for _ in range(clients)]

    async def client(connection: Connection) -> None:
        while (asked := time.perf_counter()) - began < seconds:
            answer = await connection.ask(next(requests))
            load.times.append(time.perf_counter() - asked)
            load.statuses[answer.status] += 1

    await asyncio.gather(*map(client, connections))
    load.seconds = time.perf_counter() - began
    load.times.sort()
    for connection in connections:
        connection.close()
    return load
