"""What one transaction of a group tells: its `process` spans and its metrics."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from types import TracebackType
from typing import Final, Self

from aiokafka import TopicPartition

from infra.runtime import metrics
from infra.runtime.fates import Fate, StaleOwnerError, fate_of
from infra.runtime.records import Dead, Decoded, Incoming, Passed
from infra.telemetry.context import current, is_sampled, parse
from infra.telemetry.messages import Operation
from infra.telemetry.names import (
    MESSAGE_AGE,
    MESSAGE_TYPE,
    MESSAGING_CONSUMER_GROUP_NAME,
    MESSAGING_KAFKA_MESSAGE_TOMBSTONE,
    MESSAGING_KAFKA_OFFSET,
    MESSAGING_MESSAGE_BODY_SIZE,
    MESSAGING_MESSAGE_CONVERSATION_ID,
    MESSAGING_MESSAGE_ID,
)
from infra.telemetry.tracing import Span, Value, tracing

FATES: Final = {Dead: "dead", Incoming: "applied", Passed: "passed"}


class Processing:
    """`with Processing(group, unit) as work:` around a transaction; `work.records` is what to apply.

    Messages that are sampled carry the `traceparent` of their `process` span there, so that what they cause
    does. The dead are errors. So is everything in a transaction that fails, but for lost races.
    """

    def __init__(self, group: str, unit: Mapping[TopicPartition, Sequence[Decoded]]) -> None:
        self.records: list[Decoded] = list(chain.from_iterable(unit.values()))
        self._group = group
        self._began = time.perf_counter()
        self._operation: Operation | None = None
        if tracing.on:
            self._operation = Operation("process", {MESSAGING_CONSUMER_GROUP_NAME: group})
            self._trace(self._operation)

    def _trace(self, operation: Operation) -> None:
        for index, each in enumerate(self.records):
            if isinstance(each, Dead):
                self._span(operation, each).error = each.reason
            elif isinstance(each, Incoming) and is_sampled(each.meta.traceparent):
                header = self._span(operation, each).context.header
                self.records[index] = replace(each, meta=replace(each.meta, traceparent=header))

    def _span(self, operation: Operation, each: Incoming | Dead) -> Span:
        record, meta = each.record, each.meta
        attributes: dict[str, Value] = {
            MESSAGING_KAFKA_OFFSET: record.offset,
            MESSAGING_KAFKA_MESSAGE_TOMBSTONE: record.value is None,
            MESSAGING_MESSAGE_BODY_SIZE: len(record.value or b""),
            MESSAGE_AGE: _age(each, datetime.now(UTC)),
        }
        if meta is not None:
            attributes[MESSAGING_MESSAGE_ID] = str(meta.id)
            attributes[MESSAGE_TYPE] = meta.type
            attributes[MESSAGING_MESSAGE_CONVERSATION_ID] = str(meta.correlation or meta.id)
        parent = parse(meta.traceparent) if meta is not None else None
        return operation.add(parent, record.topic, record.partition, attributes)

    def __enter__(self) -> Self:
        traced = self._operation.context(len(self.records)) if self._operation else None
        self._token = current.set(traced)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current.reset(self._token)
        seconds = time.perf_counter() - self._began
        exemplars = filter(None, map(_exemplar, self.records if self._spans() else ()))
        metrics.TRANSACTION.labels(self._group).observe(seconds, next(exemplars, None))
        if error is None:
            self._count()
        if self._operation is not None:
            self._end(self._operation, error)

    def _spans(self) -> Sequence[Span]:
        return self._operation.spans if self._operation else ()

    def _end(self, operation: Operation, error: BaseException | None) -> None:
        if error is not None and not operation.spans and len(self.records) == 1 and not _lost_race(error):
            (each,) = self.records
            if not isinstance(each, Passed):
                self._span(operation, each)
        told = None if error is None or (_lost_race(error) and not operation.spans) else type(error).__name__
        operation.end([each.record.topic for each in self.records], told)

    def _count(self) -> None:
        counts = Counter((each.record.topic, FATES[type(each)]) for each in self.records)
        for (topic, fate), count in counts.items():
            metrics.RECORDS.labels(self._group, topic, fate).inc(count)
        now, ages, traced = datetime.now(UTC), metrics.AGE.labels(self._group), bool(self._spans())
        for each in self.records:
            if not isinstance(each, Passed):
                ages.observe(_age(each, now), _exemplar(each) if traced else None)


def _age(each: Decoded, now: datetime) -> float:
    return max(0.0, (now - each.record.at).total_seconds())


def _exemplar(each: Decoded) -> dict[str, str] | None:
    """The trace that a message's process span belongs to, if it is sampled."""
    context = parse(each.meta.traceparent) if isinstance(each, Incoming) else None
    return {"trace_id": context.trace_id} if context is not None and context.sampled else None


def _lost_race(error: BaseException) -> bool:
    """Whether somebody else was first, or the process stops; that is no error."""
    return isinstance(error, StaleOwnerError | asyncio.CancelledError) or fate_of(error) is Fate.AGAIN
