"""Gathers lag: positions, letters and outboxes from PostgreSQL as role `ops`, logs and offsets from Kafka."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition

from infra.ops.database import ops_connection
from infra.ops.lag_kafka import Place, ask
from infra.ops.lag_model import Effects, Outbox, Part, Report
from infra.ops.log_reader import LogReader, Next, appended_at, log_reader
from infra.roles import DECIDERS, READ_PREFIX, schemas
from infra.settings import Settings
from schemas.topics import TOPICS

if TYPE_CHECKING:
    from asyncpg import Connection, Record

POSITIONS: Final = """
SELECT group_name, topic, partition, next_offset, skipped, stopped, owner, updated_at FROM {schema}.position
"""
LETTERS: Final = """
SELECT group_name, topic, partition, count(*) AS dead,
       count(DISTINCT key) FILTER (WHERE type IS DISTINCT FROM 'Tick') AS keys
  FROM {schema}.dead_letter WHERE closed_at IS NULL GROUP BY 1, 2, 3
"""
# When an effect was decided: the inbox took the message that caused it in the same transaction.
EFFECTS: Final = """
SELECT e.group_name, kind, count(*) FILTER (WHERE dead_at IS NULL) AS waiting,
       count(*) FILTER (WHERE dead_at IS NULL AND leased_until > clock_timestamp()) AS running,
       count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead,
       min(i.touched_at) FILTER (WHERE dead_at IS NULL) AS oldest_at,
       min(due_at) FILTER (WHERE dead_at IS NULL) AS next_at,
       coalesce(max(attempts) FILTER (WHERE dead_at IS NULL), 0) AS most_attempts
  FROM {schema}.effect e
  LEFT JOIN {schema}.inbox i ON i.group_name = e.group_name AND i.message_id = e.cause
 GROUP BY 1, 2
"""
OUTBOXES: Final = "SELECT schema_name, depth, oldest FROM mesh.outboxes ORDER BY schema_name"


async def look(settings: Settings) -> Report:
    """How far everybody is now. Raises BrokerError and DatabaseError.

    Positions are read before the ends, so that a group which keeps up is never ahead of its log.
    """
    async with ops_connection(settings) as db:
        rows = {_place(row): row for row in await _of_all(db, POSITIONS, schemas())}
        letters = await _letters(db)
        outboxes = [Outbox(*row) for row in await db.fetch(OUTBOXES)]
        effects = [Effects(*row) for row in await _of_all(db, EFFECTS, DECIDERS)]
    places = sorted(_declared() | rows.keys())
    committed, memberships = await ask(settings, sorted({group for group, _, _ in places}))
    async with log_reader(settings.kafka) as reader:
        bounds = await reader.bounds({TopicPartition(*place[1:]) for place in places})
        parts = [_part(place, bounds, rows.get(place), letters.get(place), committed) for place in places]
        aged = await _with_ages(reader, parts)
        return Report(datetime.now(UTC), aged, outboxes, sorted(effects, key=_kind), memberships)


def _declared() -> set[Place]:
    """Every partition that a group is meant to read, whether it has begun or not."""
    return {
        (group, topic.name, partition)
        for topic in TOPICS.values()
        for group in topic.readers
        for partition in range(topic.partitions)
    }


def _kind(effects: Effects) -> tuple[str, str]:
    return effects.group, effects.kind


def _place(row: "Record") -> Place:
    return row["group_name"], row["topic"], row["partition"]


async def _of_all(db: "Connection", query: str, schemas: Sequence[str]) -> list["Record"]:
    return await db.fetch(" UNION ALL ".join(query.format(schema=schema) for schema in schemas))


async def _letters(db: "Connection") -> dict[Place, tuple[int, int]]:
    """Open letters of each place, and the keys that are parked behind them: only deciders park."""
    rows = await _of_all(db, LETTERS, schemas())
    return {_place(row): (row["dead"], row["keys"]) for row in rows}


def _part(
    place: Place,
    bounds: Mapping[TopicPartition, tuple[int, int]],
    row: "Record | None",
    letters: tuple[int, int] | None,
    committed: Mapping[Place, int],
) -> Part:
    group, topic, partition = place
    start, end = bounds[TopicPartition(topic, partition)]
    dead, keys = letters or (0, 0)
    part = Part(group, topic, partition, start, end, committed=committed.get(place), dead=dead)
    if not group.startswith(READ_PREFIX):
        part = replace(part, parked_keys=keys)
    if row is None:
        return part
    return replace(
        part,
        position=row["next_offset"],
        skipped=row["skipped"],
        stopped=row["stopped"],
        updated_at=row["updated_at"],
        owner=row["owner"],
    )


async def _with_ages(reader: LogReader, parts: Sequence[Part]) -> list[Part]:
    """Read the record at each position that lags, once for groups that stand at the same one."""
    waiting: dict[TopicPartition, dict[int, int]] = {}
    for part in parts:
        if part.behind:
            waiting.setdefault(TopicPartition(part.topic, part.partition), {})[part.next_offset] = part.end
    found = await reader.each(waiting)
    return [_aged(part, found) if part.behind else part for part in parts]


def _aged(part: Part, found: Mapping[tuple[TopicPartition, int], Next]) -> Part:
    known = found.get((TopicPartition(part.topic, part.partition), part.next_offset))
    oldest_at = appended_at(known.record) if known and known.record else None
    return replace(part, oldest_at=oldest_at, readable=known is not None)
