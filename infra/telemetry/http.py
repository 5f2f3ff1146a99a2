"""The server span of one HTTP request, by the stable HTTP conventions.

Path, query, address and agent are left out, though the conventions have them: they hold what people wrote.
"""

import time
from collections.abc import Iterable
from typing import Final

from infra.telemetry.context import HEADER, Context, current, new_span_id, parse
from infra.telemetry.names import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
    NETWORK_PROTOCOL_VERSION,
    URL_SCHEME,
)
from infra.telemetry.tracing import Kind, Span, Value, tracing

RAW_HEADER: Final = HEADER.encode()
OTHER: Final = "_OTHER"


class RequestSpan:
    """One request, current from here to `end` in the task that answers it.

    `trace_id` begins a trace of its own. A client's `traceparent` is taken as parent; whether it decides on
    sampling too is a question of `trust`: anybody could make us record everything.
    """

    __slots__ = ("_parent", "_started", "_token", "context")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], trace_id: str, *, trust: bool) -> None:
        self._parent = _parent(headers)
        if self._parent is None:
            self.context = Context(trace_id, new_span_id(), tracing.sample())
        else:
            sampled = self._parent.sampled if trust else tracing.sample()
            self.context = Context(self._parent.trace_id, new_span_id(), sampled)
        self._started = time.time_ns()
        self._token = current.set(self.context)

    @property
    def exemplar(self) -> dict[str, str] | None:
        """Labels that lead from a latency to this trace, if it is recorded."""
        return {"trace_id": self.context.trace_id} if self.context.sampled else None

    def end(self, method: str, route: str | None, status: int, version: str, error: str | None) -> None:
        """The answer is out, or never will be. 5xx is an error, `error` the type of what was raised."""
        current.reset(self._token)
        if error is None and status >= 500:
            error = str(status)
        if not self.context.sampled and error is None:
            return
        attributes: dict[str, Value] = {
            HTTP_REQUEST_METHOD: method,
            URL_SCHEME: "http",
            NETWORK_PROTOCOL_VERSION: version,
        }
        if status:
            attributes[HTTP_RESPONSE_STATUS_CODE] = status
        if route is not None:
            attributes[HTTP_ROUTE] = route
        verb = "HTTP" if method == OTHER else method
        name = f"{verb} {route}" if route is not None else verb
        tracing.end(
            Span(name, Kind.SERVER, self.context, self._parent, attributes, self._started, error=error)
        )


def _parent(headers: Iterable[tuple[bytes, bytes]]) -> Context | None:
    """The client's span; none if it sent two, or something else."""
    sent = [value for name, value in headers if name == RAW_HEADER]
    return parse(sent[0].decode("latin-1")) if len(sent) == 1 else None
