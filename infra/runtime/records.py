"""A broker record, and what it turned out to be: a message, a dead one, or nothing to handle."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from aiokafka import ConsumerRecord, TopicPartition

from infra.runtime.handlers import Handler
from schemas.envelope import Meta
from schemas.message import Message, Tick


@dataclass(frozen=True, slots=True)
class Record:
    """A broker record, as far as we care. `at` is the broker's append time."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def place(self) -> TopicPartition:
        """The topic partition it lies on."""
        return TopicPartition(self.topic, self.partition)

    @classmethod
    def of(cls, raw: ConsumerRecord) -> "Record":
        """From aiokafka's record."""
        at = _time(raw.timestamp)
        return cls(raw.topic, raw.partition, raw.offset, at, raw.key, raw.value, raw.headers)


@lru_cache(maxsize=1_000)
def _time(milliseconds: int) -> datetime:
    """Remembered: all records of a batch were appended at the same time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that a handler can take. `key` orders it; `prepared` is what its `prepare` returned."""

    record: Record
    key: str
    message: Message | Tick
    meta: Meta
    handler: Handler
    prepared: object = None


@dataclass(frozen=True, slots=True)
class Dead:
    """A record that is set aside: it will never be a message, or its handler keeps failing.

    `key` and `meta` as far as they could be read.
    """

    record: Record
    key: str | None
    meta: Meta | None
    reason: str
    error: str
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Passed:
    """A record that reaches no handler: a heartbeat, a tick nobody waits for, an ignored type."""

    record: Record


Decoded: TypeAlias = Incoming | Dead | Passed
