"""What lag is: where each group is on each partition, beside what the log holds, summed in several ways."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from infra.roles import READ_PREFIX

Json = dict[str, object]
NEVER: Final = "never read"


@dataclass(frozen=True, slots=True)
class Part:
    """One group on one partition.

    `position` is the next offset in PostgreSQL (None: never read), `committed` the one that Kafka was told
    (None: none). `end` is what a read_committed reader may see. `oldest_at` is the append time of the first
    record that waits; None when none does, or, if not `readable`, when it could not be read.
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


def topics_of(parts: Iterable[Part]) -> list[tuple[str, list[Part]]]:
    """The parts of one group, by topic."""
    return [(topic, list(some)) for topic, some in groupby(parts, lambda part: part.topic)]


def seconds(since: datetime | None, now: datetime) -> float | None:
    """An age; clocks that differ make no negative one."""
    return None if since is None else max(round((now - since).total_seconds(), 3), 0.0)


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


def as_json(report: Report) -> Json:
    """The stable form; `docs/runbooks/lag-and-trace.md` describes it. Fields are added, never changed."""
    return {
        "at": report.at.isoformat().replace("+00:00", "Z"),
        "groups": [_group(group, parts, report.at) for group, parts in report.groups()],
        "read_models": [
            {"name": name, "stale_seconds": model.oldest_seconds, "dead": model.dead}
            for name, model in report.read_models().items()
        ],
        "outboxes": [
            {
                "schema": each.schema,
                "depth": each.depth,
                "oldest_seconds": seconds(each.oldest_at, report.at) or 0.0,
            }
            for each in report.outboxes
        ],
        "total": _sum(report.parts, report.at) | {"outbox": sum(each.depth for each in report.outboxes)},
    }


def _sum(parts: Sequence[Part], now: datetime) -> Json:
    return asdict(summed(parts, now))


def _group(group: str, parts: Sequence[Part], now: datetime) -> Json:
    kind = "projection" if group.startswith(READ_PREFIX) else "decider"
    topics = [
        {"topic": topic, **_sum(some, now), "partitions": [_part(part, now) for part in some]}
        for topic, some in topics_of(parts)
    ]
    return {"group": group, "kind": kind, **_sum(parts, now), "topics": topics}


def _part(part: Part, now: datetime) -> Json:
    return {
        "partition": part.partition,
        "start": part.start,
        "end": part.end,
        "position": part.position,
        "committed": part.committed,
        "behind": part.behind,
        "oldest_seconds": oldest([part], now),
        "skipped": part.skipped,
        "stopped": part.stopped,
        "last_progress_seconds": seconds(part.updated_at, now),
        "dead": part.dead,
        "parked_keys": part.parked_keys,
    }
