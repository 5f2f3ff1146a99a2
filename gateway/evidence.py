"""Reads what the standing of commands is computed from: three views of `mesh`, for many at once."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson

from gateway.reads.database import Database
from gateway.standing import Decision, Event, Evidence, Letter, Place, Position
from infra.roles import PROJECTIONS

if TYPE_CHECKING:
    from asyncpg import Record

DECISIONS: Final = """
SELECT command_id, actor, type, status, reason, resource, body_hash, events, offsets, after, at
  FROM mesh.decisions WHERE command_id = ANY($1)
"""
POSITIONS: Final = """
SELECT group_name, topic, partition, next_offset, stopped FROM mesh.positions WHERE group_name = ANY($1)
"""
LETTERS: Final = """
SELECT group_name, topic, partition, record_offset FROM mesh.dead
 WHERE closed_at IS NULL AND group_name = ANY($1) AND record_offset = ANY($2)
"""


async def gather(database: Database, command_ids: Collection[UUID]) -> Evidence:
    """Everything about these commands, and about those that their answers come `after`."""
    decisions = await _decisions(database, command_ids)
    earlier = {d.after for d in decisions.values() if d.after is not None} - decisions.keys()
    if earlier:
        decisions |= await _decisions(database, earlier)
    events = {event for decision in decisions.values() for event in decision.events}
    if not events:
        return Evidence(decisions)
    positions = await positions_of_projections(database)
    return Evidence(decisions, positions, await _letters(database, events))


async def _decisions(database: Database, command_ids: Collection[UUID]) -> dict[UUID, Decision]:
    rows = await database.fetch(DECISIONS, list(command_ids))
    return {row["command_id"]: _decision(row) for row in rows}


def _decision(row: "Record") -> Decision:
    places: Iterable[tuple[str, int, int]] = orjson.loads(row["offsets"]).values()
    return Decision(
        command_id=row["command_id"],
        actor=row["actor"],
        type=row["type"],
        status=row["status"],
        reason=row["reason"],
        resource=row["resource"],
        body_hash=row["body_hash"],
        expected=row["events"],
        events=[Event(*place) for place in places],
        after=row["after"],
        at=row["at"],
    )


async def positions_of_projections(database: Database) -> dict[Place, Position]:
    """How far every projection is, by group, topic and partition."""
    rows = await database.fetch(POSITIONS, PROJECTIONS)
    return {
        (row["group_name"], row["topic"], row["partition"]): Position(row["next_offset"], row["stopped"])
        for row in rows
    }


async def _letters(database: Database, events: Collection[Event]) -> set[Letter]:
    rows = await database.fetch(LETTERS, PROJECTIONS, list({event.offset for event in events}))
    return {(row["group_name"], row["topic"], row["partition"], row["record_offset"]) for row in rows}
