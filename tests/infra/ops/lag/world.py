"""A mesh without processes: a database of its own, groups that have read everything, records on topics."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from infra.ops.lag_model import Part, Report
from infra.roles import schemas
from infra.settings import Settings
from schemas.topics import TOPICS

if TYPE_CHECKING:
    from asyncpg import Connection

Headers = Sequence[tuple[str, bytes]]


class World:
    """`settings` names its database; `db` is the superuser there."""

    def __init__(self, settings: Settings, db: "Connection") -> None:
        self.settings = settings
        self.db = db

    async def ends(self) -> dict[TopicPartition, int]:
        """Where every log ends now."""
        places = [TopicPartition(t.name, n) for t in TOPICS.values() for n in range(t.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, isolation_level="read_committed")
        await consumer.start()
        try:
            return dict(await consumer.end_offsets(places))
        finally:
            await consumer.stop()

    async def catch_up(self) -> dict[TopicPartition, int]:
        """Every group has read everything until now; nothing is dead and nothing waits."""
        ends = await self.ends()
        for topic in TOPICS.values():
            for group in topic.readers:
                schema = group if group in schemas() else topic.owner
                await self.db.execute(f"DELETE FROM {schema}.position WHERE topic = $1", topic.name)
                await self.db.execute(f"DELETE FROM {schema}.dead_letter")
                await self.db.executemany(
                    f"INSERT INTO {schema}.position (group_name, topic, partition, next_offset)"
                    " VALUES ($1, $2, $3, $4)",
                    [(group, p.topic, p.partition, end) for p, end in ends.items() if p.topic == topic.name],
                )
        return ends

    async def move(self, group: str, place: TopicPartition, by: int) -> None:
        """The group has read so many offsets more."""
        await self.db.execute(
            f"UPDATE {group}.position SET next_offset = next_offset + $1, updated_at = clock_timestamp()"
            " WHERE topic = $2 AND partition = $3",
            by,
            place.topic,
            place.partition,
        )

    async def send(
        self, place: TopicPartition, *, headers: Headers = (), key: bytes = b"k", value: bytes | None = b"{}"
    ) -> tuple[int, datetime]:
        """One record; its offset, and when the broker appended it."""
        async with AIOKafkaProducer(bootstrap_servers=self.settings.kafka) as producer:
            told = await producer.send_and_wait(
                place.topic, value, key=key, partition=place.partition, headers=list(headers)
            )
        return told.offset, datetime.fromtimestamp(told.timestamp / 1000, UTC)

    async def abort(self, place: TopicPartition, count: int) -> None:
        """So many records that were never committed; the log also gets a marker."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka, transactional_id=f"lag-{id(self)}"
        ) as producer:
            await producer.begin_transaction()
            for _ in range(count):
                await producer.send_and_wait(place.topic, b"{}", key=b"k", partition=place.partition)
            await producer.abort_transaction()

    async def letter(
        self, group: str, place: TopicPartition, offset: int, key: str, **columns: object
    ) -> None:
        """An open dead letter."""
        await self.db.execute(
            f"INSERT INTO {group}.dead_letter (group_name, topic, partition, record_offset, message_id, type,"
            " key, reason, error, attempts, appended_at, headers, body, parked, closed_at)"
            " VALUES ($1, $2, $3, $4, $5, 'PublishPick', $6, 'defect', 'e', 4, now(), '[]', '{}', $7, $8)",
            group,
            place.topic,
            place.partition,
            offset,
            columns.get("message_id"),
            key,
            columns.get("parked", False),
            columns.get("closed_at"),
        )


def part_of(report: Report, group: str, place: TopicPartition) -> Part:
    """What a report says about one group on one partition."""
    (found,) = [p for p in report.parts if (p.group, p.topic, p.partition) == (group, *place)]
    return found


@asynccontextmanager
async def world_on(settings: Settings) -> AsyncIterator[World]:
    """The world of a migrated database."""
    db = await asyncpg.connect(settings.dsn("postgres"))
    try:
        yield World(settings, db)
    finally:
        await db.close()


async def start(settings: Settings, module: str, *words: str) -> asyncio.subprocess.Process:
    """A tool as a process; what it says about trouble is part of what it prints."""
    env = os.environ | {"PICKLY_DATABASE": settings.database, "COLUMNS": "160"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *words,
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def run(settings: Settings, module: str, *words: str) -> tuple[int | None, str]:
    """What a tool prints, and its exit code."""
    process = await start(settings, module, *words)
    out, _ = await process.communicate()
    return process.returncode, out.decode()
