"""An answer in one write: uvicorn writes head and body apart, which costs a system call and a packet more."""

from typing import Final

from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    HTTPResponseStartEvent,
    Scope,
)
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateway.answers import Header

LEFT_TO_UVICORN: Final = frozenset({b"connection", b"transfer-encoding"})
CONTROLS: Final = bytes({*range(32), 127} - {ord("\t")})


async def answer_whole(
    cycle: RequestResponseCycle,
    app: ASGI3Application,
    scope: Scope,
    receive: ASGIReceiveCallable,
    _send: ASGISendCallable,
) -> None:
    """Run the application; its answer is written by `_Answer`."""
    await app(scope, receive, _Answer(cycle).send)


class _Answer:
    """Holds the head back until the body comes. What is not plain and whole is left to uvicorn."""

    __slots__ = ("_cycle", "_start")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._start: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and self._start is None:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if self._whole(start, message):
                return
            await self._cycle.send(start)
        await self._cycle.send(message)

    def _whole(self, start: HTTPResponseStartEvent, message: ASGISendEvent) -> bool:
        cycle = self._cycle
        ready = cycle.keep_alive and not cycle.disconnected and not cycle.flow.write_paused
        if not ready or message["type"] != "http.response.body" or cycle.scope["method"] == "HEAD":
            return False
        body = message.get("body", b"")
        headers = [*cycle.default_headers, *start.get("headers", ())]
        head = None if message.get("more_body") else head_of(start["status"], headers, len(body))
        if head is None:
            return False
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.transport.write(head + body)
        cycle.on_response()
        return True


def head_of(status: int, headers: list[Header], length: int) -> bytes | None:
    """Status line and header lines, if they announce a body of `length` bytes and a connection that stays.

    None for others, and for values with control characters, which could begin a line of their own.
    """
    announced = b""
    lines = [STATUS_LINE[status]]
    for name, value in headers:
        if name == b"content-length":
            announced = value
        elif name in LEFT_TO_UVICORN:
            return None
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    ends = 2 * (len(headers) + 2)
    if announced != b"%d" % length or len(head) - len(head.translate(None, CONTROLS)) != ends:
        return None
    return head
