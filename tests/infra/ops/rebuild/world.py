"""A running platform, events put on its topics as the relay would, and rebuilds as a user runs them."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from infra.roles import PROJECTIONS
from infra.settings import Settings
from schemas.message import Message
from schemas.topics import TOPICS
from tests.infra.runtime.widgets import Tape
from tests.journeys.stack import Stack

ROOT = Path(__file__).parents[4]
DEADLINE = 60.0


async def until(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """Return as soon as the condition holds; fail with `what` when it does not within a generous time."""
    end = time.monotonic() + DEADLINE
    while not await condition():
        assert time.monotonic() < end, f"not within {DEADLINE:.0f} s: {what}"
        await asyncio.sleep(0.05)


@dataclass
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def reports(self) -> list[dict[str, Any]]:
        """Of a rebuild with --json: what it says about each projection."""
        return list(json.loads(self.out.splitlines()[-1])["projections"])

    @property
    def report(self) -> dict[str, Any]:
        """Of a rebuild with --json: what it says about its one projection."""
        (projection,) = self.reports
        return projection

    def table(self, name: str) -> dict[str, Any]:
        """What it says about one table."""
        (found,) = [table for table in self.report["tables"] if table["name"] == name]
        return dict(found)


@dataclass
class World:
    """`db` is the superuser's."""

    stack: Stack
    settings: Settings
    db: "asyncpg.Connection[asyncpg.Record]"
    producer: AIOKafkaProducer
    tapes: dict[str, Tape] = field(default_factory=dict)

    async def send(self, *messages: Message) -> None:
        """Put events on their topics, in order."""
        sent = []
        for message in messages:
            record = self.tapes.setdefault(message.topic.name, Tape.of(message.topic)).add(message)
            sent.append(
                await self.producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )
            )
        await asyncio.gather(*sent)

    async def ends(self, topics: Sequence[str] = tuple(TOPICS)) -> dict[TopicPartition, int]:
        """Where the logs end for a reader of what is committed."""
        places = [TopicPartition(name, n) for name in topics for n in range(TOPICS[name].partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka, isolation_level="read_committed", group_id=None
        )
        await consumer.start()
        try:
            return dict(await consumer.end_offsets(places))
        finally:
            await consumer.stop()

    async def shown(self, *groups: str) -> None:
        """Wait until these projections, or all, have read everything."""
        for group in groups or PROJECTIONS:
            ends = await self.ends([topic.name for topic in TOPICS.values() if group in topic.readers])

            async def there(group: str = group, ends: dict[TopicPartition, int] = ends) -> bool:
                rows = await self.db.fetch(f"SELECT topic, partition, next_offset FROM {group}.position")
                known = {TopicPartition(r["topic"], r["partition"]): r["next_offset"] for r in rows}
                return all(known.get(place, 0) >= end for place, end in ends.items())

            await until(there, f"{group} has read everything")

    async def rows(self, query: str) -> Counter[tuple[Any, ...]]:
        """The rows of a query."""
        return Counter(tuple(row) for row in await self.db.fetch(query))

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """`./pickly rebuild` with these words, as a process."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "infra.ops.rebuild", *words),
            env=os.environ | self.stack.env | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def rebuild(self, *words: str) -> Ran:
        """The same, to its end."""
        return await ended(await self.start(*words))


async def ended(process: asyncio.subprocess.Process) -> Ran:
    """How a process ends."""
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())
