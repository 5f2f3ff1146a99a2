"""Around everything: request ids, security headers, 500 without detail, the access line, metrics."""

import logging
import secrets
import time
from collections.abc import Sequence
from functools import cache
from typing import Final

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.answers import Header
from gateway.client_address import Clients
from gateway.config import GatewaySettings
from gateway.cors import Cors, preflight
from gateway.problems import ProblemError
from infra.telemetry.http import OTHER, RequestSpan

MAX_HEAD: Final = 16 * 1024
TOO_LARGE: Final = "The head of a request has at most 16 KiB."
SLOW_SECONDS: Final = 1.0
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECURITY: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
)
API_ONLY: Final[Header] = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
SECONDS: Final = Histogram(
    "pickly_http_seconds",
    "Time from the request's head to the end of the answer.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

log = structlog.get_logger(__name__)
plain_log: Final = logging.getLogger(__name__)
"""Knows the level without making a logger of structlog's first."""


class Edge:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, limits: GatewaySettings | None = None) -> None:
        limits = limits or GatewaySettings()
        self._app = app
        self._trust = limits.trust_traceparent
        self._clients = Clients(limits.trusted_proxies)
        self._cors = Cors(limits.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing that goes wrong inside gets out but as a problem."""
        if scope["type"] != "http":
            return
        self._clients.find(scope)
        exchange = _Exchange(scope, send, self._cors.headers(scope["headers"]), trust=self._trust)
        structlog.contextvars.bind_contextvars(request=exchange.id)
        try:
            if _head_bytes(scope) > MAX_HEAD:
                raise ProblemError("headers-too-large", TOO_LARGE, headers=[_CLOSE])
            await self._app(scope, receive, exchange.send)
        except ProblemError as problem:
            await exchange.fail(problem)
        except Exception as error:
            log.exception("a request failed", route=exchange.route)
            exchange.error = type(error).__name__
            await exchange.fail(ProblemError("internal", f"The logs know it as {exchange.id}."))
        finally:
            exchange.report()
            structlog.contextvars.clear_contextvars()


_CLOSE: Final[Header] = (b"connection", b"close")


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_cors", "_scope", "_send", "_span", "_started", "_status", "error", "id")

    def __init__(self, scope: Scope, send: Send, cors: Sequence[Header], *, trust: bool) -> None:
        self.id = secrets.token_hex(16)
        self.error: str | None = None
        self._scope = scope
        self._send = send
        self._cors = cors
        self._started = time.perf_counter()
        self._status = 0
        self._span = RequestSpan(scope["headers"], self.id, trust=trust)

    @property
    def route(self) -> str:
        """The template of the route, not the path: few values, and no ids."""
        template: str = self._scope.get("template", "(none)")
        return template

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            own = message["headers"]
            around = SECURITY if API_ONLY[0] in dict(own) else (API_ONLY, *SECURITY)
            headers = [*own, *around, *self._cors, (b"x-request-id", self.id.encode())]
            if self._scope["method"] == "OPTIONS":
                headers += preflight(self._cors, own)
            message = {**message, "headers": headers}
        await self._send(message)

    async def fail(self, problem: ProblemError) -> None:
        """Answer with a problem, unless an answer is on its way already."""
        if self._status == 0:
            await problem.answer().send(self.send, head=self._scope["method"] == "HEAD")

    def report(self) -> None:
        """Span and metrics for all; a line in the log for what went wrong or took long, at DEBUG for all."""
        seconds = time.perf_counter() - self._started
        method = self._scope["method"] if self._scope["method"] in METHODS else OTHER
        _seconds(method, self.route, self._status).observe(seconds, self._span.exemplar)
        noteworthy = self._status >= 400 or seconds > SLOW_SECONDS
        if noteworthy or plain_log.isEnabledFor(logging.DEBUG):
            say = log.info if noteworthy else log.debug
            say("request", method=method, route=self.route, status=self._status, ms=round(seconds * 1000, 1))
        version = self._scope.get("http_version", "")
        self._span.end(method, self._scope.get("template"), self._status, version, self.error)


@cache
def _seconds(method: str, route: str, status: int) -> Histogram:
    """Few: methods and routes are those that there are."""
    return SECONDS.labels(method, route, str(status))


def _head_bytes(scope: Scope) -> int:
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    headers = scope["headers"]
    return target + len(b"".join([part for header in headers for part in header])) + 4 * len(headers)
