"""What PostgreSQL knows of a journey, asked as role `ops`: decisions, positions, dead letters; bounded."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson
from aiokafka import TopicPartition
from asyncpg import DataError

from infra.ops.trace_model import Decision, Letter, Position, Where
from infra.ops.trace_tables import Table
from infra.roles import DECIDERS, schemas
from schemas.topics import TOPICS, Kind

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


HANDLED: Final = """
SELECT message_id, touched_at FROM {schema}.inbox WHERE group_name = ANY($1) AND message_id = ANY($2)
"""
DECIDING: Final = sorted(
    {group for topic in TOPICS.values() if topic.kind is Kind.COMMAND for group in topic.readers}
)
ROWS: Final = """
SELECT {key}, version FROM {schema}.{name} JOIN unnest({values}) AS k({key}) USING ({key})
"""


async def by_commands(db: "Connection", ids: Collection[UUID]) -> list[Decision]:
    """The decisions of these commands."""
    return await _decisions(db, await db.fetch(BY_COMMAND, list(ids), MOST)) if ids else []


async def by_subject(db: "Connection", key: str) -> tuple[list[Decision], bool]:
    """What was decided about a subject or an edge, and whether there is more than MOST."""
    subject, _, edge = key.partition("/")
    rows = await db.fetch(BY_SUBJECT, subject, f"/{key}" if edge else "", MOST + 1)
    return await _decisions(db, rows[:MOST]), len(rows) > MOST


async def _decisions(db: "Connection", rows: Sequence["Record"]) -> list[Decision]:
    query = " UNION ALL ".join(HANDLED.format(schema=schema) for schema in DECIDERS)
    handled = await db.fetch(query, DECIDING, [row["command_id"] for row in rows])
    times = {row["message_id"]: row["touched_at"] for row in handled}
    return [_decision(row, times.get(row["command_id"])) for row in rows]


def _decision(row: "Record", decided_at: datetime | None) -> Decision:
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
        decided_at=decided_at,
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


async def rows_of(
    db: "Connection", table: Table, keys: Collection[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    """The versions of those keys that a table of a read model has a row for."""
    values = ", ".join(f"${n}::text[]::{kind}[]" for n, kind in enumerate(table.types, 1))
    query = ROWS.format(key=", ".join(table.key), schema=table.schema, name=table.name, values=values)
    try:
        found = await db.fetch(query, *map(list, zip(*keys, strict=True)))
    except DataError:  # a key that is none: somebody wrote it past the relay
        return {}
    return {tuple(map(str, key)): version for *key, version in found}
