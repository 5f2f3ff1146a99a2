"""The limit to look at: a loop that reads, parses, inserts and commits, and nothing that makes it safe.

It fetches 500 records, decodes key and every header into a dict, parses the body with the same pydantic model
as we do, inserts all rows in one statement into a table with a primary key and one more index, updates the
positions in one statement, and commits with fsync: one connection, one process, all partitions. It knows no
repeats, no order, no versions, no failures, and answers nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from infra.settings import Settings
from schemas.message import Message
from schemas.topics import Topic
from tests.bench.stopwatch import Figure, Stopwatch

BATCH = 500
POSITIONS = """
CREATE SCHEMA IF NOT EXISTS raw;
DROP TABLE IF EXISTS raw.position;
CREATE TABLE raw.position (partition int PRIMARY KEY, next_offset bigint NOT NULL);
"""
MOVE = """
UPDATE raw.position SET next_offset = moved.next_offset
  FROM unnest($1::int[], $2::bigint[]) AS moved (partition, next_offset)
 WHERE position.partition = moved.partition
"""
Headers = dict[str, str]


@dataclass(frozen=True)
class Plan:
    """What the loop does with the messages of one topic: `row` makes the columns of `insert`."""

    topic: Topic
    parse: Callable[[bytes, Headers], Message]
    table: str
    insert: str
    row: Callable[[Message, Headers], tuple[object, ...]]


async def drain(config: Settings, plan: Plan, messages: int) -> Figure:
    """Apply all messages of the topic once, into an empty table."""
    db = await asyncpg.connect(config.dsn("postgres"), server_settings={"search_path": "raw"})
    await db.execute(POSITIONS + plan.table)
    places = [TopicPartition(plan.topic.name, number) for number in range(plan.topic.partitions)]
    await db.executemany("INSERT INTO position VALUES ($1, 0)", [(place.partition,) for place in places])
    watch = await Stopwatch.of(db, messages)
    async with AIOKafkaConsumer(
        bootstrap_servers=config.kafka, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign(places)
        done = 0
        while done < messages:
            polled = await consumer.getmany(timeout_ms=200, max_records=BATCH)
            if polled:
                watch.start()
                done += await _apply(db, plan, polled)
        figure = watch.stop()
    await db.close()
    return figure


async def _apply(
    db: "asyncpg.Connection", plan: Plan, polled: dict[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]
) -> int:
    rows = []
    for records in polled.values():
        for record in records:
            headers = {name: value.decode() for name, value in record.headers}
            rows.append((record.key.decode(), *plan.row(plan.parse(record.value, headers), headers)))
    ends = [(place.partition, records[-1].offset + 1) for place, records in polled.items()]
    async with db.transaction():
        await db.execute(plan.insert, *map(list, zip(*rows, strict=True)))
        await db.execute(MOVE, *map(list, zip(*ends, strict=True)))
    return len(rows)
