"""What has become of a command, by its decision, the projections' positions and their dead letters.

Positions are the clock of read-your-writes: no row is written for it.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from schemas.message import Command, Message
from schemas.topics import TOPICS

Place = tuple[str, str, int]
"""Group, topic, partition."""
Letter = tuple[str, str, int, int]
"""Group, topic, partition, offset of an open dead letter."""


class Status(StrEnum):
    """What a client sees of a command."""

    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    DELAYED = "delayed"


FINAL: Final = frozenset({Status.DONE, Status.REFUSED, Status.FAILED})


AT_ONCE: Final = {"failed": Status.FAILED, "parked": Status.DELAYED}
"""Decisions that change nothing, so that there is nothing to see."""


class Sight(StrEnum):
    """Whether a projection shows a command."""

    PASSED = "passed"
    COMING = "coming"
    HELD_UP = "held up"  # set aside as a dead letter, or the partition stands still


@dataclass(frozen=True, slots=True)
class Event:
    """Where the relay put an event."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A row of `mesh.decisions`; it makes `expected` events, of which `events` are on their topics."""

    command_id: UUID
    actor: UUID | None
    type: str
    status: str
    reason: str | None
    resource: str
    body_hash: str | None
    expected: int
    events: Sequence[Event]
    after: UUID | None
    at: datetime

    @property
    def done_when(self) -> Sequence[str]:
        """The projections that must show it; none for a type that is no more."""
        known = Message.catalogue.get(self.type)
        return known.done_when if known is not None and issubclass(known, Command) else ()


@dataclass(frozen=True, slots=True)
class Position:
    """How far a group is on a partition; `stopped` says why it stands still."""

    next_offset: int
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Read in this order: decisions, positions, letters.

    A letter is written together with the position that passes it, so a position read first cannot hide one.
    """

    decisions: Mapping[UUID, Decision] = field(default_factory=dict)
    positions: Mapping[Place, Position] = field(default_factory=dict)
    letters: Set[Letter] = frozenset()

    def sight(self, decision: Decision, group: str) -> Sight:
        """Whether `group` shows what the command did; if its answer comes `after` another, what that did."""
        if decision.after is not None:
            earlier = self.decisions.get(decision.after)
            return Sight.PASSED if earlier is None else self._sight(earlier, group)
        return self._sight(decision, group)

    def _sight(self, decision: Decision, group: str) -> Sight:
        if decision.status == "parked":
            return Sight.HELD_UP
        if len(decision.events) < decision.expected:
            return Sight.COMING
        seen = {self._place(event, group) for event in decision.events if reads(group, event.topic)}
        return next((s for s in (Sight.HELD_UP, Sight.COMING) if s in seen), Sight.PASSED)

    def _place(self, event: Event, group: str) -> Sight:
        position = self.positions.get((group, event.topic, event.partition))
        if position is None:
            return Sight.COMING
        if position.next_offset <= event.offset:
            return Sight.COMING if position.stopped is None else Sight.HELD_UP
        letter = (group, event.topic, event.partition, event.offset)
        return Sight.HELD_UP if letter in self.letters else Sight.PASSED

    def shown(self, decision: Decision, groups: Sequence[str]) -> Sight:
        """The least advanced of these groups."""
        sights = {self.sight(decision, group) for group in groups}
        return next((s for s in (Sight.HELD_UP, Sight.COMING) if s in sights), Sight.PASSED)

    def status(self, command_id: UUID) -> Status:
        """What a client may be told about the command now."""
        decision = self.decisions.get(command_id)
        if decision is None:
            return Status.PENDING
        if decision.status in AT_ONCE:
            return AT_ONCE[decision.status]
        sight = self.shown(decision, decision.done_when)
        if sight is not Sight.PASSED:
            return Status.DELAYED if sight is Sight.HELD_UP else Status.PENDING
        return Status.REFUSED if decision.status == "refused" else Status.DONE


def reads(group: str, topic: str) -> bool:
    """Whether `group` subscribes to `topic`."""
    return topic in TOPICS and group in TOPICS[topic].readers
