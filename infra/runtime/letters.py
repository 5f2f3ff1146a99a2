"""Dead letters: the table that holds what could not be handled, and the keys that are parked behind it."""

from collections.abc import Sequence
from typing import Final

import orjson
from aiokafka import TopicPartition

from infra.runtime.handlers import Db
from infra.runtime.records import Dead, Incoming

WINDOW: Final = 1_000
"""The circuit looks at this many of the newest offsets of a partition ..."""
SHARE: Final = WINDOW // 100
"""... and opens above one in a hundred, or ..."""
IN_A_ROW: Final = 20
"""... when so many in a row died."""


INSERT = """
    INSERT INTO dead_letter (group_name, topic, partition, record_offset, message_id, type, key, sequence,
                             reason, error, attempts, appended_at, headers, body, parked)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (group_name, topic, partition, record_offset) DO NOTHING
"""


async def insert(db: Db, group: str, dead: Sequence[Dead], parked: Sequence[Incoming] = ()) -> None:
    """Keep the dead, and what is parked behind them, in the transaction that moves the position past them."""
    behind = (
        Dead(each.record, each.key, each.meta, "parked", "an earlier one of its key died") for each in parked
    )
    rows = [_row(group, each, parked=False) for each in dead]
    await db.executemany(INSERT, rows + [_row(group, each, parked=True) for each in behind])


def _row(group: str, letter: Dead, *, parked: bool) -> tuple[object, ...]:
    record, meta = letter.record, letter.meta
    headers = [
        [name, None if value is None else value.decode("utf-8", "backslashreplace")]
        for name, value in record.headers
    ]
    return (
        group,
        record.topic,
        record.partition,
        record.offset,
        meta.id if meta else None,
        meta.type if meta else None,
        letter.key,
        meta.sequence if meta else None,
        letter.reason,
        storable(letter.error)[:2000],
        letter.attempts,
        record.at,
        storable(orjson.dumps(headers).decode()),
        record.value,
        parked,
    )


def storable(text: str) -> str:
    """The text as PostgreSQL's text and jsonb take it: they refuse NUL."""
    return text.replace("\x00", "\\x00").replace("\\u0000", "\\\\u0000")


# Only the owner of a partition adds letters of its keys, so what these see cannot be overtaken. Nearly always
# there are none, and a poll of 500 keys need not be compared with them.
ANY: Final = "SELECT EXISTS (SELECT FROM dead_letter WHERE group_name = $1)"
ANY_OPEN: Final = "SELECT EXISTS (SELECT FROM dead_letter WHERE group_name = $1 AND closed_at IS NULL)"


async def parked_keys(db: Db, group: str, topics: Sequence[str], keys: Sequence[str]) -> set[tuple[str, str]]:
    """Which of the (topic, key) pairs stand behind an open letter."""
    if not await db.fetchval(ANY_OPEN, group):
        return set()
    rows = await db.fetch(
        "SELECT DISTINCT topic, key FROM dead_letter"
        " WHERE group_name = $1 AND closed_at IS NULL"
        " AND (topic, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
        group,
        topics,
        keys,
    )
    return {(row["topic"], row["key"]) for row in rows}


async def close_older(db: Db, group: str, states: Sequence[tuple[str, str, int, bool]]) -> None:
    """Close a projection's letters of keys that now have a newer state: (topic, key, sequence, tombstone).

    A tombstone also deletes their payload, for what is gone must be gone here too.
    """
    if not await db.fetchval(ANY, group):
        return
    await db.execute(
        "UPDATE dead_letter d SET state = 'closed', closed_at = clock_timestamp(),"
        " body = CASE WHEN s.tombstone THEN NULL ELSE d.body END"
        " FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bool[]) AS s(topic, key, sequence, tombstone)"
        " WHERE d.group_name = $1 AND d.topic = s.topic AND d.key = s.key AND d.sequence < s.sequence"
        " AND (d.closed_at IS NULL OR s.tombstone)",
        group,
        [state[0] for state in states],
        [state[1] for state in states],
        [state[2] for state in states],
        [state[3] for state in states],
    )


CIRCUIT = """
    SELECT count(*) AS dead,
           count(*) FILTER (WHERE record_offset > $4::bigint - $6::bigint) AS newest
      FROM dead_letter
     WHERE group_name = $1 AND topic = $2 AND partition = $3 AND closed_at IS NULL AND NOT parked
       AND record_offset > $4::bigint - $5::bigint
"""


async def circuit(db: Db, group: str, place: TopicPartition, newest_offset: int) -> str | None:
    """Why the partition must stop because too much of it dies, or None. Closed letters do not count."""
    row = await db.fetchrow(CIRCUIT, group, place.topic, place.partition, newest_offset, WINDOW, IN_A_ROW)
    assert row is not None
    if row["newest"] >= IN_A_ROW:
        return f"circuit open: the last {IN_A_ROW} records died"
    if row["dead"] > SHARE:
        return f"circuit open: {row['dead']} of the last {WINDOW} records died"
    return None
