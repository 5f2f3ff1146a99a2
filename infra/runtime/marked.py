"""Letters that ops has marked, to be replayed or dropped: found, turned back into records, and closed.

`ops` may only mark (`./pickly dead`); what comes of it is written by the owning group, within its fence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
from aiokafka import TopicPartition

from infra.runtime.handlers import Db
from infra.runtime.letters import storable
from infra.runtime.records import Record

REPLAY: Final = "replay"
DROP: Final = "drop"
LOSSY: Final = ("undecodable_key", "undecodable_headers")
"""Reasons of letters whose key or headers the table keeps only as far as they could be read."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A marked letter: the record as it was, what to do with it, and whether the inbox knows its id."""

    record: Record
    state: str
    reason: str
    message_id: UUID | None


PLACES: Final = """
    SELECT DISTINCT topic, partition FROM dead_letter
     WHERE group_name = $1 AND closed_at IS NULL AND state IN ('replay', 'drop')
     ORDER BY topic, partition
"""
DUE: Final = """
    SELECT * FROM dead_letter d
     WHERE group_name = $1 AND topic = $2 AND partition = $3 AND closed_at IS NULL
       AND (state = 'drop' OR state = 'replay' AND NOT ($5 AND EXISTS (
               SELECT FROM dead_letter e
                WHERE e.group_name = d.group_name AND e.topic = d.topic AND e.key = d.key
                  AND e.partition = d.partition AND e.record_offset < d.record_offset
                  AND e.closed_at IS NULL AND e.state NOT IN ('replay', 'drop'))))
     ORDER BY record_offset LIMIT $4
"""
STILL_DUE: Final = """
    SELECT state = $5 AND (state = 'drop' OR NOT ($6 AND EXISTS (
               SELECT FROM dead_letter e
                WHERE e.group_name = d.group_name AND e.topic = d.topic AND e.key = d.key
                  AND e.partition = d.partition AND e.record_offset < d.record_offset
                  AND e.closed_at IS NULL)))
      FROM dead_letter d
     WHERE group_name = $1 AND topic = $2 AND partition = $3 AND record_offset = $4 AND closed_at IS NULL
       FOR NO KEY UPDATE
"""


async def places(db: Db, group: str) -> list[TopicPartition]:
    """The partitions on which letters are marked."""
    return [TopicPartition(row["topic"], row["partition"]) for row in await db.fetch(PLACES, group)]


async def due(db: Db, group: str, place: TopicPartition, most: int, *, ordered: bool) -> list[Letter]:
    """The oldest marked letters of a partition.

    `ordered`: without those behind an earlier letter of their key that is open and not marked.
    """
    rows = await db.fetch(DUE, group, place.topic, place.partition, most, ordered)
    return [
        Letter(
            Record(
                place.topic,
                place.partition,
                row["record_offset"],
                row["appended_at"],
                None if row["key"] is None else row["key"].encode(),
                row["body"],
                _headers(row["headers"]),
            ),
            row["state"],
            row["reason"],
            row["message_id"],
        )
        for row in rows
    ]


def _headers(kept: str) -> tuple[tuple[str, bytes | None], ...]:
    pairs: Sequence[tuple[str, str | None]] = orjson.loads(kept)
    return tuple((name, None if value is None else value.encode()) for name, value in pairs)


async def still_due(db: Db, group: str, letter: Letter, *, ordered: bool) -> bool:
    """Whether nobody has closed or unmarked it meanwhile, and its turn has come; locks the letter.

    `ordered`: every earlier letter of its key must be closed.
    """
    still: bool | None = await db.fetchval(STILL_DUE, *_place(group, letter), letter.state, ordered)
    return bool(still)


async def close(db: Db, group: str, letter: Letter) -> None:
    """It is done with: replayed (closed) or dropped. Its payload goes, nobody needs it any more."""
    await db.execute(
        "UPDATE dead_letter SET state = $5, closed_at = clock_timestamp(), body = NULL"
        " WHERE group_name = $1 AND topic = $2 AND partition = $3 AND record_offset = $4",
        *_place(group, letter),
        "dropped" if letter.state == DROP else "closed",
    )


async def reopen(db: Db, group: str, letter: Letter, reason: str, error: str) -> None:
    """It failed again, now by itself if it was only parked: open, with one more attempt."""
    await db.execute(
        "UPDATE dead_letter SET state = 'open', attempts = attempts + 1, reason = $5, error = $6,"
        " parked = false WHERE group_name = $1 AND topic = $2 AND partition = $3 AND record_offset = $4",
        *_place(group, letter),
        reason,
        storable(error)[:2000],
    )


def _place(group: str, letter: Letter) -> tuple[str, str, int, int]:
    return group, letter.record.topic, letter.record.partition, letter.record.offset


async def fail(db: Db, command_id: UUID) -> None:
    """The decision of a dropped command: the only `failed` there is. The reason given stays in the letter."""
    await db.execute(
        "UPDATE decision SET status = 'failed', reason = 'dropped', at = clock_timestamp()"
        " WHERE command_id = $1 AND status = 'parked'",
        command_id,
    )
