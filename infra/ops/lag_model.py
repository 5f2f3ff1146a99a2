"""What lag is: where each group is on each partition, beside what the log holds, summed in several ways."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from aiokafka import TopicPartition

from infra.ops.lag_kafka import Membership
from infra.roles import READ_PREFIX

NEVER: Final = "never read"


@dataclass(frozen=True, slots=True)
class Part:
    """One group on one partition.

    `position` is the next offset in PostgreSQL (None: never read), `committed` the one that Kafka was told
    (None: none). `end` is what a read_committed reader may see. `oldest_at` is the append time of the first
    record that waits; None when none does, or, if not `readable`, when it could not be read. `owner` is the
    process that moved the position last, as host/pid.
    """

    group: str
    topic: str
    partition: int
    start: int
    end: int
    position: int | None = None
    committed: int | None = None
    oldest_at: datetime | None = None
    readable: bool = True
    skipped: int = 0
    stopped: str | None = None
    updated_at: datetime | None = None
    owner: str = ""
    dead: int = 0
    parked_keys: int = 0

    @property
    def next_offset(self) -> int:
        """Where reading goes on: at the position, or where the log begins if that is later."""
        return max(self.position or 0, self.start)

    @property
    def behind(self) -> int:
        """Offsets from there to the end: records, and between them markers, aborted records and holes."""
        return max(self.end - self.next_offset, 0)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Events of a decider's schema that wait for the relay."""

    schema: str
    depth: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of one group and kind. `running` are leased; `dead` were given up.

    `oldest_at` is when the first one that waits was decided, `next_at` when the next one is due; None: none.
    `most_attempts` of one that waits: above 0, something outside does not answer.
    """

    group: str
    kind: str
    waiting: int
    running: int
    dead: int
    oldest_at: datetime | None
    next_at: datetime | None
    most_attempts: int


@dataclass(frozen=True, slots=True)
class Sum:
    """Several parts as one. Ages in seconds: 0 when nothing waits, None when it is not known."""

    behind: int
    oldest_seconds: float | None
    position: int
    committed: int | None
    skipped: int
    dead: int
    parked_keys: int
    stopped: int
    last_progress_seconds: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it, as it was at one moment; the parts are sorted by group, topic and partition."""

    at: datetime
    parts: Sequence[Part]
    outboxes: Sequence[Outbox]
    effects: Sequence[Effects] = ()
    memberships: Mapping[str, Membership] = field(default_factory=dict)

    def groups(self) -> list[tuple[str, list[Part]]]:
        """The parts of each group."""
        return [(group, list(parts)) for group, parts in groupby(self.parts, lambda part: part.group)]

    def read_models(self) -> dict[str, Sum]:
        """What users look at. `oldest_seconds` is how stale it is: the oldest event that it has not applied.

        Its dead letters are events that it does not show although it has passed them.
        """
        return {
            group: summed(parts, self.at) for group, parts in self.groups() if group.startswith(READ_PREFIX)
        }


def processes(parts: Iterable[Part], holds: Iterable[TopicPartition]) -> list[str]:
    """Who moved the positions of what a member holds: one, unless it has just come by some of it."""
    held = set(holds)
    owners = {part.owner for part in parts if TopicPartition(part.topic, part.partition) in held}
    return sorted(owners - {""})


def topics_of(parts: Iterable[Part]) -> list[tuple[str, list[Part]]]:
    """The parts of one group, by topic."""
    return [(topic, list(some)) for topic, some in groupby(parts, lambda part: part.topic)]


def seconds(since: datetime | None, now: datetime) -> float | None:
    """An age; clocks that differ make no negative one."""
    return None if since is None else max(round((now - since).total_seconds(), 3), 0.0)


def next_try(effects: Effects, now: datetime) -> float | None:
    """Seconds until the next one may run: 0 when it is due, None when none waits."""
    return None if effects.next_at is None else max(round((effects.next_at - now).total_seconds(), 3), 0.0)


def summed(parts: Sequence[Part], now: datetime) -> Sum:
    """The parts as one: counts add up, the oldest record and the latest progress count."""
    committed = [part.committed for part in parts if part.committed is not None]
    moved = [part.updated_at for part in parts if part.updated_at is not None]
    return Sum(
        behind=sum(part.behind for part in parts),
        oldest_seconds=oldest(parts, now),
        position=sum(part.position or 0 for part in parts),
        committed=sum(committed) if committed else None,
        skipped=sum(part.skipped for part in parts),
        dead=sum(part.dead for part in parts),
        parked_keys=sum(part.parked_keys for part in parts),
        stopped=sum(part.stopped is not None for part in parts),
        last_progress_seconds=seconds(max(moved), now) if moved else None,
    )


def oldest(parts: Sequence[Part], now: datetime) -> float | None:
    """The age of the oldest record that waits; a partition that cannot be read hides no known age."""
    waiting = [part.oldest_at for part in parts if part.oldest_at is not None]
    if waiting:
        return seconds(min(waiting), now)
    return 0.0 if all(part.readable for part in parts) else None


def reasons(parts: Iterable[Part]) -> dict[str, list[int]]:
    """Why partitions stand still, and which."""
    found: dict[str, list[int]] = {}
    for part in parts:
        if part.stopped is not None:
            found.setdefault(part.stopped, []).append(part.partition)
    return found
