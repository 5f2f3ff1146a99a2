"""What PostgreSQL knows of a journey, asked as role `ops`: decisions, positions, dead letters; bounded."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson
from aiokafka import TopicPartition

from infra.ops.trace_model import Decision, Letter, Position, Where
from infra.roles import schemas

if TYPE_CHECKING:
    from asyncpg import Connection, Record

MOST: Final = 100
"""Decisions of one trace, the newest."""
COLUMNS: Final = "schema_name, command_id, type, status, reason, resource, events, offsets, after, at"
BY_COMMAND: Final = f"SELECT {COLUMNS} FROM mesh.decisions WHERE command_id = ANY($1) LIMIT $2"
# By the index decision_subject; $2 is the edge's whole key, or empty for all about the subject.
BY_SUBJECT: Final = f"""
SELECT {COLUMNS} FROM mesh.decisions
 WHERE split_part(resource, '/', 2) = $1 AND right(resource, length($2)) = $2
 ORDER BY at DESC LIMIT $3
"""
POSITIONS: Final = "SELECT group_name, topic, partition, next_offset, stopped FROM mesh.positions"
LETTERS: Final = """
SELECT group_name, topic, partition, record_offset, message_id, type, reason, state, parked, attempts,
       first_at, closed_at
  FROM {schema}.dead_letter
 WHERE message_id = ANY($1) OR split_part(key, '/', 1) = $2
    OR (topic, partition, record_offset) IN (SELECT * FROM unnest($3::text[], $4::int[], $5::bigint[]))
"""


async def by_commands(db: "Connection", ids: Collection[UUID]) -> list[Decision]:
    """The decisions of these commands."""
    return [_decision(row) for row in await db.fetch(BY_COMMAND, list(ids), MOST)] if ids else []


async def by_subject(db: "Connection", key: str) -> tuple[list[Decision], bool]:
    """What was decided about a subject or an edge, and whether there is more than MOST."""
    subject, _, edge = key.partition("/")
    rows = await db.fetch(BY_SUBJECT, subject, f"/{key}" if edge else "", MOST + 1)
    return [_decision(row) for row in rows[:MOST]], len(rows) > MOST


def _decision(row: "Record") -> Decision:
    places = orjson.loads(row["offsets"])
    return Decision(
        schema=row["schema_name"],
        command_id=row["command_id"],
        type=row["type"],
        status=row["status"],
        reason=row["reason"],
        resource=row["resource"],
        events=row["events"],
        places={
            UUID(id): (TopicPartition(topic, part), offset) for id, (topic, part, offset) in places.items()
        },
        after=row["after"],
        at=row["at"],
    )


async def positions(db: "Connection") -> dict[tuple[str, TopicPartition], Position]:
    """Where every group is."""
    return {
        (row["group_name"], TopicPartition(row["topic"], row["partition"])): Position(
            row["next_offset"], row["stopped"]
        )
        for row in await db.fetch(POSITIONS)
    }


async def letters(
    db: "Connection", messages: Collection[UUID], places: Collection[Where], subject: str
) -> list[Letter]:
    """Dead letters of these messages, at these places, and of the keys of a subject unless it is empty."""
    query = " UNION ALL ".join(LETTERS.format(schema=schema) for schema in schemas())
    rows = await db.fetch(
        f"{query} ORDER BY first_at DESC LIMIT {MOST}",
        list(messages),
        subject,
        [place.topic for place, _ in places],
        [place.partition for place, _ in places],
        [offset for _, offset in places],
    )
    return [
        Letter(
            row["group_name"],
            (TopicPartition(row["topic"], row["partition"]), row["record_offset"]),
            *tuple(row)[4:],
        )
        for row in rows
    ]
