"""Social's SQL; everything set-based, in primary-key order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from consumers.social.rules import ENDS_KEPT, SWEPT_AFTER, Known
from infra.partitions import partition_of
from infra.runtime import Db
from schemas.envelope import Meta
from schemas.picks import PickState
from schemas.reactions import Reacted, ReactionCommand, ReactionGone
from schemas.topics import PICK_EVENTS, REACTION_COMMANDS, REACTION_EVENTS

PAGE: Final = 1_000


LOAD: Final = """
    SELECT pick_id, account_id, kind, r.version, r.changed_by, ended.sequence AS last, state.closed
      FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked(pick_id, account_id, kind)
      LEFT JOIN reaction r USING (pick_id, account_id, kind)
      LEFT JOIN gone ended ON ended.topic = $4 AND ended.key = concat_ws('/', pick_id, account_id, kind)
      LEFT JOIN pick_copy c USING (pick_id)
      LEFT JOIN gone pick ON pick.topic = $5 AND pick.key = pick_id::text
     CROSS JOIN LATERAL (SELECT coalesce(c.closed, pick.key IS NOT NULL) AS closed) AS state
     WHERE r.version IS NOT NULL OR ended.sequence IS NOT NULL OR state.closed
"""


async def load(db: Db, commands: Sequence[ReactionCommand]) -> Known:
    """What is known about the edges of a batch and their picks; nearly always nothing."""
    rows = await db.fetch(LOAD, *_columns(commands), REACTION_EVENTS.name, PICK_EVENTS.name)
    return Known(
        edges={_key(row): (row["version"], row["changed_by"]) for row in rows if row["version"]},
        last={_key(row): row["last"] for row in rows if row["last"]},
        closed=frozenset(row["pick_id"] for row in rows if row["closed"]),
    )


def _key(row: asyncpg.Record) -> str:
    return f"{row['pick_id']}/{row['account_id']}/{row['kind']}"


def _columns(edges: Sequence[ReactionCommand | Reacted | ReactionGone]) -> tuple[list[object], ...]:
    """What names the edges, as SQL takes them: picks, accounts, kinds."""
    return (
        [edge.pick_id for edge in edges],
        [edge.account_id for edge in edges],
        [edge.kind for edge in edges],
    )


ADD: Final = """
    INSERT INTO reaction (pick_id, account_id, kind, reacted_at, version, changed_by, partition, sweep_at)
    SELECT added.*, CASE WHEN c.pick_id IS NULL THEN reacted_at + $8::interval END
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[], $6::uuid[], $7::int[])
           AS added(pick_id, account_id, kind, reacted_at, version, changed_by, partition)
      LEFT JOIN pick_copy c USING (pick_id)
     ORDER BY 1, 2, 3
"""


async def add(db: Db, added: Sequence[tuple[Reacted, UUID]]) -> None:
    """Keep new reactions, each with the command that asked for it; for an unknown pick they wait a day."""
    if not added:
        return
    edges = [edge for edge, _ in added]
    await db.execute(
        ADD,
        *_columns(edges),
        [edge.reacted_at for edge in edges],
        [edge.version for edge in edges],
        [changed_by for _, changed_by in added],
        [_partition(edge.pick_id) for edge in edges],
        SWEPT_AFTER,
    )


REMOVE: Final = """
    WITH ended AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::timestamptz[])
            AS e(pick_id, account_id, kind, ended_by, partition, at)),
    gone AS (DELETE FROM reaction WHERE (pick_id, account_id, kind)
             IN (SELECT pick_id, account_id, kind FROM ended))
    INSERT INTO reaction_end (pick_id, account_id, kind, ended_by, partition, at)
    SELECT * FROM ended ORDER BY 1, 2, 3
    ON CONFLICT (pick_id, account_id, kind) DO UPDATE SET ended_by = excluded.ended_by, at = excluded.at
"""


async def remove(db: Db, removed: Sequence[tuple[ReactionGone, Meta]]) -> None:
    """Forget reactions that were taken back, and remember by which command."""
    if not removed:
        return
    edges = [edge for edge, _ in removed]
    await db.execute(
        REMOVE,
        *_columns(edges),
        [meta.id for _, meta in removed],
        [_partition(edge.pick_id) for edge in edges],
        [meta.at for _, meta in removed],
    )


async def ended_by(db: Db, commands: Sequence[ReactionCommand]) -> dict[str, UUID]:
    """By key, the command that took the reaction back last, if that was lately."""
    if not commands:
        return {}
    rows = await db.fetch(
        "SELECT pick_id, account_id, kind, ended_by FROM reaction_end"
        " WHERE (pick_id, account_id, kind) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]))",
        *_columns(commands),
    )
    return {_key(row): row["ended_by"] for row in rows}


async def forget_ends(db: Db, partition: int, at: datetime) -> None:
    """A page of what nobody asks for any more."""
    await db.execute(
        "DELETE FROM reaction_end WHERE (pick_id, account_id, kind) IN"
        " (SELECT pick_id, account_id, kind FROM reaction_end WHERE partition = $1 AND at <= $2"
        "   ORDER BY at LIMIT $3)",
        partition,
        at - ENDS_KEPT,
        PAGE,
    )


async def note_picks(db: Db, picks: Sequence[PickState]) -> None:
    """Keep what is newest of each pick."""
    await db.execute(
        "INSERT INTO pick_copy (pick_id, closed, version, partition)"
        " SELECT * FROM unnest($1::uuid[], $2::bool[], $3::bigint[], $4::int[]) ORDER BY 1"
        " ON CONFLICT (pick_id) DO UPDATE SET closed = excluded.closed, version = excluded.version,"
        " burying = false WHERE excluded.version > pick_copy.version",
        [pick.pick_id for pick in picks],
        [pick.deleted_at is not None for pick in picks],
        [pick.version for pick in picks],
        [_partition(pick.pick_id) for pick in picks],
    )


async def close_for_good(db: Db, pick_id: UUID, version: int) -> None:
    """The pick is gone; its reactions will follow, a page at a time."""
    await db.execute(
        "INSERT INTO pick_copy (pick_id, closed, version, partition, burying) VALUES ($1, true, $2, $3, true)"
        " ON CONFLICT (pick_id) DO UPDATE SET closed = true, version = excluded.version, burying = true"
        " WHERE excluded.version > pick_copy.version",
        pick_id,
        version,
        _partition(pick_id),
    )


async def bury(db: Db, partition: int) -> list[ReactionGone]:
    """A page of the reactions whose picks are gone; picks without any left are forgotten."""
    picks = await db.fetch(
        "SELECT pick_id FROM pick_copy WHERE partition = $1 AND burying ORDER BY pick_id LIMIT $2",
        partition,
        PAGE,
    )
    ids = [row["pick_id"] for row in picks]
    rows = await db.fetch(
        "DELETE FROM reaction WHERE (pick_id, account_id, kind) IN"
        " (SELECT pick_id, account_id, kind FROM reaction WHERE pick_id = ANY($1)"
        "   ORDER BY pick_id, account_id, kind LIMIT $2)"
        " RETURNING pick_id, account_id, kind, version",
        ids,
        PAGE,
    )
    await db.execute(
        "DELETE FROM pick_copy c WHERE pick_id = ANY($1) AND burying"
        " AND NOT EXISTS (SELECT 1 FROM reaction r WHERE r.pick_id = c.pick_id)",
        ids,
    )
    return _ended(rows)


async def sweep(db: Db, partition: int, at: datetime) -> list[ReactionGone]:
    """A page of the reactions that waited in vain for their pick; those whose pick came wait no longer."""
    await db.execute(
        "UPDATE reaction r SET sweep_at = NULL WHERE partition = $1 AND sweep_at <= $2"
        " AND EXISTS (SELECT 1 FROM pick_copy c WHERE c.pick_id = r.pick_id)",
        partition,
        at,
    )
    rows = await db.fetch(
        "DELETE FROM reaction WHERE (pick_id, account_id, kind) IN"
        " (SELECT pick_id, account_id, kind FROM reaction WHERE partition = $1 AND sweep_at <= $2"
        "   ORDER BY sweep_at LIMIT $3)"
        " RETURNING pick_id, account_id, kind, version",
        partition,
        at,
        PAGE,
    )
    return _ended(rows)


def _ended(rows: Sequence[asyncpg.Record]) -> list[ReactionGone]:
    edges = [
        ReactionGone(
            pick_id=row["pick_id"], account_id=row["account_id"], kind=row["kind"], version=row["version"] + 1
        )
        for row in rows
    ]
    return sorted(edges, key=lambda edge: edge.key)


def _partition(pick_id: UUID) -> int:
    return partition_of(str(pick_id), REACTION_COMMANDS)
