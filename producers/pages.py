"""The `send` spans of one page of an outbox, and the `traceparent` that its sampled events travel with."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from infra.telemetry.context import HEADER, Context, is_sampled, parse
from infra.telemetry.messages import Operation
from infra.telemetry.names import (
    MESSAGING_KAFKA_MESSAGE_TOMBSTONE,
    MESSAGING_KAFKA_OFFSET,
    MESSAGING_MESSAGE_BODY_SIZE,
)
from infra.telemetry.sending import from_headers
from infra.telemetry.tracing import Span, Value, tracing
from producers.outbox import Row


class Page:
    """`with Page(rows) as page:` around the sending; `page.rows` are what to send."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self._operation = Operation("send", {}) if tracing.on else None
        self._traced: dict[int, Span] = {}
        if self._operation is not None:
            self._trace(self._operation)

    def _trace(self, operation: Operation) -> None:
        for index, row in enumerate(self.rows):
            parent = parse(row.traceparent) if is_sampled(row.traceparent) else None
            if parent is not None:
                span = self._traced[index] = self._span(operation, row, parent)
                wire = [(name, value) for name, value in row.headers if name != HEADER]
                header = (HEADER, span.context.header.encode())
                self.rows[index] = replace(row, headers=[*wire, header])

    def _span(self, operation: Operation, row: Row, parent: Context | None) -> Span:
        headers = {name: value.decode() for name, value in row.headers}
        attributes: dict[str, Value] = {
            MESSAGING_MESSAGE_BODY_SIZE: len(row.body or b""),
            MESSAGING_KAFKA_MESSAGE_TOMBSTONE: row.body is None,
            **from_headers(headers),
        }
        return operation.add(parent, row.topic, row.partition, attributes)

    def sent(self, offsets: Sequence[int]) -> None:
        """All are on their topics, there."""
        for index, span in self._traced.items():
            span.attributes[MESSAGING_KAFKA_OFFSET] = offsets[index]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._operation is None:
            return
        told = type(error).__name__ if isinstance(error, Exception) else None
        if told is not None and len(self.rows) == 1 and not self._traced:
            (row,) = self.rows
            self._span(self._operation, row, parse(row.traceparent))
        self._operation.end([row.topic for row in self.rows], told)
