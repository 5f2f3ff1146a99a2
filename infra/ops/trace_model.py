"""A journey: what was asked, what was decided, which events followed, and who has seen them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from aiokafka import TopicPartition

from infra.ops.log_reader import Raw, appended_at

Where: TypeAlias = tuple[TopicPartition, int]
"""A place in a log: partition and offset."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A row of `mesh.decisions`. `at` is when the broker appended the command; `places` are its events'.

    After a replay `at` is when it was decided again. `decided_at` is the inbox's time of the command, within
    the transaction that decided it last; None when the inbox has forgotten it.
    """

    schema: str
    command_id: UUID
    type: str
    status: str
    reason: str | None
    resource: str
    events: int
    places: dict[UUID, Where]
    after: UUID | None
    at: datetime
    decided_at: datetime | None = None

    @property
    def key(self) -> str:
        """The record's key, which `ce_subject` ends with."""
        return self.resource.partition("/")[2]

    @property
    def in_outbox(self) -> int:
        """Events that the relay has not put on their topics."""
        return max(self.events - len(self.places), 0)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, without what it holds."""

    group: str
    where: Where
    message_id: UUID | None
    type: str | None
    reason: str
    state: str
    parked: bool
    attempts: int
    first_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a group is on a partition."""

    next_offset: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as far as it may be shown: its envelope."""

    where: Where
    at: datetime
    key: str
    id: str | None
    type: str | None
    sequence: str | None
    cause: str | None
    correlation: str | None

    @classmethod
    def of(cls, raw: Raw) -> "Seen":
        """From the broker's record; headers may be any bytes."""
        headers = {name: (value or b"").decode("utf-8", "replace")[:200] for name, value in raw.headers}
        names = ("ce_id", "ce_type", "ce_sequence", "ce_cause", "ce_correlation")
        place = TopicPartition(raw.topic, raw.partition)
        key = (raw.key or b"").decode("utf-8", "replace")[:200]
        return cls((place, raw.offset), appended_at(raw), key, *(headers.get(name) for name in names))


@dataclass(frozen=True, slots=True)
class Row:
    """The row of an event's key in a table of a read model; `version` is None when there is none."""

    table: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Reader:
    """A group that reads an event's topic. `state`: passed, coming, stopped, set aside, or never read.

    `rows` are where its read model shows the event's key, by the tables that have such a key.
    """

    group: str
    state: str
    position: int | None
    stopped: str | None
    rows: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a decision; `record` is None when a newer state has replaced it, or it expired."""

    id: UUID
    where: Where
    record: Seen | None
    readers: Sequence[Reader]


@dataclass(frozen=True, slots=True)
class Journey:
    """All about one command. `command` is its record; None when the topic no longer has it.

    `repeats` are later records with its id, which the inbox keeps from having a second effect.
    """

    decision: Decision
    command: Seen | None = None
    repeats: Sequence[Seen] = ()
    events: Sequence[Event] = ()
    letters: Sequence[Letter] = ()

    @property
    def asked_at(self) -> datetime:
        """When the broker appended the command, as far as that is known."""
        return self.command.at if self.command else self.decision.at


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an id.

    `waiting` are commands without a decision, `letters` those of no journey; `not_looked_at` says what was
    left out, so that nothing found is not taken for nothing there.
    """

    asked: str
    journeys: Sequence[Journey] = ()
    waiting: Sequence[Seen] = ()
    letters: Sequence[Letter] = ()
    not_looked_at: Sequence[str] = ()

    @property
    def known(self) -> bool:
        """Whether anything was found."""
        return bool(self.journeys or self.waiting or self.letters)


def reader_of(
    group: str,
    where: Where,
    position: Position | None,
    letters: Sequence[Letter],
    rows: Sequence[Row] = (),
) -> Reader:
    """What a group has made of the record at `where`."""
    offset = where[1]
    if position is None:
        return Reader(group, "never read", None, None)
    aside = any(each.group == group and each.where == where and not each.closed_at for each in letters)
    if position.next_offset > offset:
        state = "set aside" if aside else "passed"
        return Reader(group, state, position.next_offset, None, rows)
    state = "stopped" if position.stopped else "coming"
    return Reader(group, state, position.next_offset, position.stopped, rows)


def where_of(where: Where) -> str:
    """As people write it: topic/partition at offset."""
    place, offset = where
    return f"{place.topic}/{place.partition} at offset {offset}"
