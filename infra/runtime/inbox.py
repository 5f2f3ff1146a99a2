"""The inbox: ids of messages that a group has handled, so that a repeat has no second effect."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from infra.runtime.handlers import Db

KEPT: Final = timedelta(days=8)
"""Longer than any command topic keeps its records, and than a client retries a key."""

PORTION: Final = 10_000
PRUNE: Final = """
    DELETE FROM inbox WHERE (group_name, message_id) IN (
        SELECT i.group_name, i.message_id FROM inbox i
         WHERE i.group_name = $1 AND i.touched_at < clock_timestamp() - $2::interval
           AND NOT EXISTS (SELECT 1 FROM dead_letter d
                            WHERE d.message_id = i.message_id AND d.closed_at IS NULL)
         LIMIT $3)
"""


ADMIT: Final = """
    WITH new AS (
        INSERT INTO inbox (group_name, message_id, touched_at)
        SELECT $1, id, clock_timestamp() FROM unnest($2::uuid[]) AS id ORDER BY id
        ON CONFLICT DO NOTHING RETURNING message_id)
    SELECT id FROM unnest($2::uuid[]) AS id
     WHERE (SELECT count(*) FROM new) < cardinality($2::uuid[])
       AND id NOT IN (SELECT message_id FROM new)
"""


async def admit(db: Db, group: str, ids: set[UUID]) -> set[UUID]:
    """Record the ids, in sorted order so that two members cannot deadlock; returns those that are repeats."""
    return {row["id"] for row in await db.fetch(ADMIT, group, list(ids))}


async def touch(db: Db, group: str, id: UUID) -> None:
    """A letter of a known id is replayed: its time here begins anew, for a repeat may still come."""
    await db.execute(
        "INSERT INTO inbox (group_name, message_id, touched_at) VALUES ($1, $2, clock_timestamp())"
        " ON CONFLICT (group_name, message_id) DO UPDATE SET touched_at = excluded.touched_at",
        group,
        id,
    )


async def prune(db: Db, group: str) -> None:
    """Forget old ids, a portion at a time, but never one whose dead letter is open."""
    while await db.execute(PRUNE, group, KEPT, PORTION) == f"DELETE {PORTION}":
        continue
