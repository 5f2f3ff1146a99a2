"""Positions in Postgres: the fence of every transaction, and the clock of read-your-writes.

A position row says which offset a group reads next on a partition. It moves in the transaction that applies
the records, by compare-and-set, so an owner that was frozen or replaced cannot commit. Kafka's own offsets
are written for dashboards only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiokafka import TopicPartition

from infra.runtime.fates import StaleOwnerError
from infra.runtime.handlers import Db
from schemas.topics import TOMBSTONES_KEPT, Topic


@dataclass(frozen=True, slots=True)
class Position:
    """A row: where the group goes on, until when it has seen everything, and why it stands, if it does.

    `applied_at` is the append time of the newest record applied, at first the moment when reading began: a
    reader from the start of the log sees every tombstone that was there then.
    """

    next_offset: int
    applied_at: datetime | None
    topic_id: str | None
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a partition: from the offset we expect to the one after the last record."""

    place: TopicPartition
    expected: int
    next_offset: int
    applied_at: datetime | None


FENCE = """
    UPDATE position p
       SET next_offset = m.next_offset, applied_at = greatest(m.applied_at, p.applied_at), owner = $2,
           updated_at = clock_timestamp()
      FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::timestamptz[])
           AS m(topic, partition, expected, next_offset, applied_at)
     WHERE p.group_name = $1 AND p.topic = m.topic AND p.partition = m.partition
       AND p.next_offset = m.expected
"""


async def fence(db: Db, group: str, owner: str, moves: Sequence[Move]) -> None:
    """Compare and set every position of a poll; raises StaleOwnerError unless all of them matched."""
    moves = sorted(moves, key=lambda move: move.place)
    done = await db.execute(
        FENCE,
        group,
        owner,
        [move.place.topic for move in moves],
        [move.place.partition for move in moves],
        [move.expected for move in moves],
        [move.next_offset for move in moves],
        [move.applied_at for move in moves],
    )
    if done != f"UPDATE {len(moves)}":
        raise StaleOwnerError(f"{done} of {len(moves)} positions")


STALE: Final = "stale: "
"""How the reason begins for which a reader stands still that may have missed tombstones."""


def staleness(topic: Topic, age: timedelta) -> str | None:
    """Why one that has seen everything until `age` ago may have missed tombstones of `topic`, or None."""
    if not topic.kind.compacted or age <= TOMBSTONES_KEPT / 2:
        return None
    return f"{STALE}nothing applied for {age.days} days, tombstones may be missed: docs/runbooks/rebuild.md"


async def load(db: Db, group: str, places: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
    """The rows that exist among `places`."""
    wanted = list(places)
    rows = await db.fetch(
        "SELECT topic, partition, next_offset, applied_at, topic_id, stopped FROM position"
        " JOIN unnest($2::text[], $3::int[]) AS w(topic, partition) USING (topic, partition)"
        " WHERE group_name = $1",
        group,
        [place.topic for place in wanted],
        [place.partition for place in wanted],
    )
    return {
        TopicPartition(row["topic"], row["partition"]): Position(
            row["next_offset"], row["applied_at"], row["topic_id"], row["stopped"]
        )
        for row in rows
    }


async def create(
    db: Db, group: str, starts: Mapping[TopicPartition, int], topic_ids: Mapping[str, str]
) -> None:
    """Begin at the start of the log where there is no row yet."""
    await db.executemany(
        "INSERT INTO position (group_name, topic, partition, next_offset, topic_id, applied_at)"
        " VALUES ($1, $2, $3, $4, $5, clock_timestamp()) ON CONFLICT DO NOTHING",
        [(group, p.topic, p.partition, start, topic_ids.get(p.topic)) for p, start in sorted(starts.items())],
    )


async def jump(db: Db, group: str, place: TopicPartition, expected: int, start: int) -> None:
    """Skip what an expiring topic has dropped, and count it; raises StaleOwnerError."""
    done = await db.execute(
        "UPDATE position SET next_offset = $5, skipped = skipped + $5 - $4, updated_at = clock_timestamp()"
        " WHERE group_name = $1 AND topic = $2 AND partition = $3 AND next_offset = $4",
        group,
        place.topic,
        place.partition,
        expected,
        start,
    )
    if done != "UPDATE 1":
        raise StaleOwnerError(f"{place}: jump from {expected}")


async def stop(db: Db, group: str, place: TopicPartition, reason: str | None) -> None:
    """Write down why a partition stands still, or None that it goes on."""
    await db.execute(
        "UPDATE position SET stopped = $4, updated_at = clock_timestamp()"
        " WHERE group_name = $1 AND topic = $2 AND partition = $3 AND stopped IS DISTINCT FROM $4",
        group,
        place.topic,
        place.partition,
        reason,
    )
