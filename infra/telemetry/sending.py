"""The `send` span of one record, and the `traceparent` that travels with it."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from infra.telemetry.context import Context, current, root
from infra.telemetry.messages import common
from infra.telemetry.names import (
    MESSAGE_TYPE,
    MESSAGING_DESTINATION_NAME,
    MESSAGING_DESTINATION_PARTITION_ID,
    MESSAGING_KAFKA_OFFSET,
    MESSAGING_MESSAGE_CONVERSATION_ID,
    MESSAGING_MESSAGE_ID,
)
from infra.telemetry.tracing import Kind, Span, Value, tracing

FROM_HEADERS: Final = {
    "ce_id": MESSAGING_MESSAGE_ID,
    "ce_correlation": MESSAGING_MESSAGE_CONVERSATION_ID,
    "ce_type": MESSAGE_TYPE,
}


def from_headers(headers: Mapping[str, str]) -> dict[str, Value]:
    """What the envelope of a message says about it."""
    return {name: headers[key] for key, name in FROM_HEADERS.items() if key in headers}


class Sending:
    """`with Sending(...) as sending:` around the way of a record to its topic.

    `headers` are the record's; `sending.traceparent` is to travel with them.
    """

    __slots__ = ("_context", "_headers", "_offset", "_parent", "_partition", "_started", "_topic")

    def __init__(self, topic: str, partition: int, headers: Mapping[str, str]) -> None:
        self._topic, self._partition = topic, partition
        self._parent = current.get()
        self._context: Context = (
            root(sampled=tracing.sample()) if self._parent is None else self._parent.child()
        )
        self._offset: int | None = None
        self._headers = headers

    @property
    def traceparent(self) -> str:
        """This span, for the header of that name."""
        return self._context.header

    def acknowledged(self, offset: int) -> None:
        """The broker has it there."""
        self._offset = offset

    def __enter__(self) -> Self:
        self._started = time.time_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = error is not None and not isinstance(error, asyncio.CancelledError)
        if self._context.sampled or failed:
            tracing.end(self._span(type(error).__name__ if failed else None))

    def _span(self, error: str | None) -> Span:
        attributes: dict[str, Value] = {
            **common("send"),
            MESSAGING_DESTINATION_NAME: self._topic,
            MESSAGING_DESTINATION_PARTITION_ID: str(self._partition),
        }
        attributes |= from_headers(self._headers)
        if self._offset is not None:
            attributes[MESSAGING_KAFKA_OFFSET] = self._offset
        name = f"send {self._topic}"
        return Span(name, Kind.PRODUCER, self._context, self._parent, attributes, self._started, error=error)
