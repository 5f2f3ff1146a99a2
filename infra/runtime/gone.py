"""Keys that are gone: their last sequence is remembered for 31 days, so that a version never restarts."""

from collections.abc import Sequence
from typing import Final

from infra.runtime.handlers import Db
from infra.runtime.records import Incoming
from schemas.topics import GONE_KEPT, Topic

FORGET: Final = "DELETE FROM gone WHERE at < clock_timestamp() - $1::interval"


def next_version(topic: str, key: str) -> str:
    """SQL for the version that a life of a key begins with; `topic` and `key` are SQL expressions."""
    return f"(SELECT coalesce(max(sequence), 0) + 1 FROM gone WHERE topic = {topic} AND key = {key})"


async def sequences(db: Db, topic: Topic, keys: Sequence[str]) -> dict[str, int]:
    """The last sequence of those keys of `topic` that were gone once; a new life goes on from it."""
    rows = await db.fetch(
        "SELECT key, sequence FROM gone WHERE topic = $1 AND key = ANY($2)", topic.name, list(keys)
    )
    return {row["key"]: row["sequence"] for row in rows}


async def last_of(db: Db, states: Sequence[Incoming]) -> dict[tuple[str, str], int]:
    """By (topic, key), the last sequence of those of the messages' keys that were gone once."""
    rows = await db.fetch(
        "SELECT topic, key, sequence FROM gone"
        " WHERE (topic, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
        [each.record.topic for each in states],
        [each.key for each in states],
    )
    return {(row["topic"], row["key"]): row["sequence"] for row in rows}


async def remember(db: Db, tombstones: Sequence[tuple[str, str, int]]) -> None:
    """Write down (topic, key, sequence); a lower sequence than the remembered one changes nothing.

    A key may come twice: it may live and die twice in one poll.
    """
    await db.execute(
        "INSERT INTO gone (topic, key, sequence, at)"
        " SELECT topic, key, max(sequence), clock_timestamp()"
        "   FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t(topic, key, sequence)"
        "  GROUP BY topic, key ORDER BY topic, key"
        " ON CONFLICT (topic, key) DO UPDATE SET sequence = excluded.sequence, at = excluded.at"
        " WHERE excluded.sequence > gone.sequence",
        [tombstone[0] for tombstone in tombstones],
        [tombstone[1] for tombstone in tombstones],
        [tombstone[2] for tombstone in tombstones],
    )


async def forget(db: Db) -> None:
    """Drop what is older than anybody may still need."""
    await db.execute(FORGET, GONE_KEPT)
