"""Curation's SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from infra.partitions import partition_of
from infra.runtime import Db, gone
from schemas.picks import PickState
from schemas.things import NewThing
from schemas.topics import PICK_COMMANDS, PICK_EVENTS

DUE_AT_ONCE: Final = 1_000
COLUMNS: Final = (
    "pick_id, author_id, thing_id, note, rating, tags,"
    " picked_at, published_at, edited_at, deleted_at, version"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A pick as it stands, and the command that made it so."""

    pick: PickState
    changed_by: UUID


async def get(db: Db, pick_id: UUID) -> Held | None:
    """The pick, locked until the end of the transaction."""
    row = await db.fetchrow(f"SELECT {COLUMNS}, changed_by FROM pick WHERE pick_id = $1 FOR UPDATE", pick_id)
    if row is None:
        return None
    fields = dict(row)
    changed_by = fields.pop("changed_by")
    return Held(PickState.model_validate(fields), changed_by)


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a new pick: its version, and whether its thing was new too.

    When there was one already, `version` is None and the rest says how that one stands.
    """

    version: int | None
    adds_thing: bool
    was_deleted: bool
    changed_by: UUID | None


ADD: Final = f"""
    WITH kept AS (
        INSERT INTO pick (pick_id, author_id, thing_id, note, rating, tags, picked_at, published_at,
                          changed_by, partition, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {gone.next_version("$11", "$1::uuid::text")})
        ON CONFLICT DO NOTHING RETURNING version),
    added AS (
        INSERT INTO thing (thing_id, ref, kind, title, version)
        SELECT $3, $12, $13, $14, 1 FROM kept
        ON CONFLICT DO NOTHING RETURNING true)
    SELECT (SELECT version FROM kept), EXISTS (SELECT FROM added), p.deleted_at IS NOT NULL, p.changed_by
      FROM (VALUES (1)) AS one LEFT JOIN pick p ON p.pick_id = $1
"""


async def add(db: Db, pick: PickState, thing: NewThing, changed_by: UUID) -> Kept:
    """Keep a pick that is new, and its thing when nobody had picked it before."""
    row = await db.fetchrow(
        ADD,
        pick.pick_id,
        pick.author_id,
        pick.thing_id,
        pick.note,
        pick.rating,
        pick.tags,
        pick.picked_at,
        pick.published_at,
        changed_by,
        partition_of(pick.key, PICK_COMMANDS),  # on whose tick it will fall due
        PICK_EVENTS.name,
        thing.ref,
        thing.kind,
        thing.title,
    )
    assert row is not None
    return Kept(*row)


SAVE: Final = """
    UPDATE pick
       SET note = $2, rating = $3, tags = $4, picked_at = $5, edited_at = $6, deleted_at = $7, version = $8,
           changed_by = $9, due_at = $10
     WHERE pick_id = $1
"""


async def save(db: Db, pick: PickState, changed_by: UUID, *, due_at: datetime | None = None) -> None:
    """Keep the new state of a pick that is there; `due_at` is when its tombstone falls due."""
    await db.execute(
        SAVE,
        pick.pick_id,
        pick.note,
        pick.rating,
        pick.tags,
        pick.picked_at,
        pick.edited_at,
        pick.deleted_at,
        pick.version,
        changed_by,
        due_at,
    )


async def take_due(db: Db, partition: int, at: datetime) -> Sequence[tuple[UUID, int]]:
    """Remove the picks whose time is up on this partition; (pick_id, version) of each, at most 1,000."""
    rows = await db.fetch(
        "DELETE FROM pick WHERE pick_id IN"
        " (SELECT pick_id FROM pick WHERE partition = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3)"
        " RETURNING pick_id, version",
        partition,
        at,
        DUE_AT_ONCE,
    )
    return sorted((row["pick_id"], row["version"]) for row in rows)
