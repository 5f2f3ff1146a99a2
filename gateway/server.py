"""uvicorn with what it lacks: deadlines for the head of a request, its size, and caps on connections."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from socket import socket
from typing import Any, ClassVar, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.answers import COMPLETE
from gateway.config import GatewaySettings
from gateway.edge import MAX_HEAD, SECURITY, TOO_LARGE
from gateway.problems import ProblemError
from gateway.wire import answer_whole

MAX_UNREAD: Final = 16 * 1024 * 1024
"""How much more of a refused body a connection may bring."""
LINGER_SECONDS: Final = 5.0
"""How long a closed connection may take to read its last answer."""
GRACE_SECONDS: Final = 6
"""How long requests may take to end when the process stops."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Use `guarded` to get a class with its limits."""

    limits: ClassVar[GatewaySettings]
    by_address: ClassVar[Counter[str]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._unread_bytes = 0
        self._address = ""
        self._idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection, unless there are too many."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self.by_address[self._address] += 1
        self._arm()
        if (
            len(self.connections) > self.limits.connections
            or self.by_address[self._address] > self.limits.connections_per_address
        ):
            self._refuse(ProblemError("busy", "Too many connections are open; try again soon."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        self.by_address[self._address] -= 1
        if self.by_address[self._address] <= 0:
            del self.by_address[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the clock when something begins outside a request that is being answered; cap the head."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        elif self.cycle.response_complete:  # the rest of a body that nobody reads
            self._unread_bytes += len(data)  # a client reads its answer when it has sent all
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._timer is None and (self._head_bytes if self._in_head else self.cycle.response_complete):
            self._arm()
        if self._unread_bytes > MAX_UNREAD:
            self.transport.abort()
        if self._in_head and self._head_bytes > MAX_HEAD:
            self._refuse(ProblemError("headers-too-large", TOO_LARGE))

    def on_headers_complete(self) -> None:
        """The head is here: its clock stops."""
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is here: what comes next is a new head."""
        self._in_head = True
        self._head_bytes = self._unread_bytes = 0
        self.scope["state"][COMPLETE] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn has it, but with one timer for a connection instead of one for every answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        super()._start_asgi_task(cycle, partial(answer_whole, cycle, app))

    def send_400_response(self, msg: str) -> None:
        """A request that is not HTTP gets a problem too, and nothing after it is read."""
        self._refuse(ProblemError("malformed", msg))

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more came, or the answer is not read: the connection ends."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch(left)
        else:
            self._close()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._arm()  # a request is being answered; the next one's head still has to come
        elif self._head_bytes:
            self._refuse(ProblemError("request-timeout", "The request did not arrive in time."))
        else:
            self._close()

    def _refuse(self, problem: ProblemError) -> None:
        if self.transport.is_closing():
            return
        answer = problem.answer()
        headers = [*answer.headers, *SECURITY, (b"connection", b"close")]
        headers.append((b"content-length", b"%d" % len(answer.body)))
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[answer.status] + head + b"\r\n" + answer.body)
        self._close()

    def _close(self) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def guarded(limits: GatewaySettings) -> type[GuardedProtocol]:
    """A protocol class with these limits, and a count of its own."""
    return type("Guarded", (GuardedProtocol,), {"limits": limits, "by_address": Counter()})


class GatewayServer(uvicorn.Server):
    """Leaves signals to the process; tells `before_stop` before it lets requests end."""

    def __init__(self, app: ASGIApp, limits: GatewaySettings, before_stop: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=guarded(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._before_stop = before_stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Somebody else listens to signals and sets `should_exit`."""
        yield

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Take no new connections, let requests end, close."""
        self._before_stop()
        await super().shutdown(sockets)
