"""Spans of messages, by the messaging conventions: `send` on the way to a topic, `process` behind it.

Every sampled message has a span of its own, in its own trace, so that a trace leads from the request to the
read model. What handles several messages at once has one more span, which links to where they came from, and
to which theirs link.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from infra.telemetry.context import Context, root
from infra.telemetry.names import (
    MESSAGING_BATCH_MESSAGE_COUNT,
    MESSAGING_DESTINATION_NAME,
    MESSAGING_DESTINATION_PARTITION_ID,
    MESSAGING_OPERATION_NAME,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
)
from infra.telemetry.tracing import Kind, Span, Value, tracing

KINDS: Final = {"send": Kind.PRODUCER, "process": Kind.CONSUMER}


def common(operation: str) -> dict[str, Value]:
    """The attributes that every span of a message has."""
    return {
        MESSAGING_SYSTEM: "kafka",
        MESSAGING_OPERATION_NAME: operation,
        MESSAGING_OPERATION_TYPE: operation,
    }


class Operation:
    """One `send` or `process` of one message or many; `attributes` are those of the whole."""

    def __init__(self, name: str, attributes: Mapping[str, Value]) -> None:
        self.spans: list[Span] = []
        self._name = name
        self._attributes = {**common(name), **attributes}
        self._started = time.time_ns()
        self._whole = root(sampled=True)

    def add(
        self, parent: Context | None, topic: str, partition: int, attributes: Mapping[str, Value]
    ) -> Span:
        """A span for one of the messages, a child of where it came from."""
        context = parent.child() if parent is not None else root(sampled=True)
        place: dict[str, Value] = {
            MESSAGING_DESTINATION_NAME: topic,
            MESSAGING_DESTINATION_PARTITION_ID: str(partition),
        }
        span = Span(
            f"{self._name} {topic}",
            KINDS[self._name],
            context,
            parent,
            {**self._attributes, **place, **attributes},
            self._started,
            links=() if parent is None else (parent,),
        )
        self.spans.append(span)
        return span

    def context(self, total: int) -> Context | None:
        """Where work on all `total` messages belongs; None when nothing is recorded."""
        if not self.spans:
            return None
        return self.spans[0].context if total == 1 else self._whole

    def end(self, topics: Sequence[str], error: str | None) -> None:
        """It is over. `topics` has one entry a message; an error is that of all of them."""
        ended = time.time_ns()
        batch = len(topics) > 1
        for span in self.spans:
            span.ended, span.error = ended, span.error or error
            if batch:
                span.links += (self._whole,)
            tracing.end(span)
        if batch and (self.spans or error is not None):
            self._end_whole(topics, error, ended)

    def _end_whole(self, topics: Sequence[str], error: str | None, ended: int) -> None:
        attributes = {**self._attributes, MESSAGING_BATCH_MESSAGE_COUNT: len(topics)}
        name = self._name
        if len(set(topics)) == 1:
            name = f"{name} {topics[0]}"
            attributes[MESSAGING_DESTINATION_NAME] = topics[0]
        links = tuple(dict.fromkeys(span.parent for span in self.spans if span.parent is not None))
        kind = KINDS[self._name]
        tracing.end(Span(name, kind, self._whole, None, attributes, self._started, links, error, ended))
