"""A backlog on a real topic, and a real group that works it off from the beginning."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer, TopicPartition

from infra.partitions import partition_of
from infra.process import Process
from infra.runtime import Decider, reading
from infra.runtime.fetch import Consumer
from infra.runtime.group import Group
from infra.runtime.reading import Poll
from infra.runtime.running import RunningGroup
from infra.settings import Settings
from infra.wake import Waker
from schemas.envelope import Meta
from schemas.message import Message, State
from tests.bench.ground import inside
from tests.bench.stopwatch import Figure, Stopwatch

TRACE = "00-" + "4bf92f3577b34da6a3ce929d0e0e4736" + "-00f067aa0ba902b7-00"
PORTION = 2_000
WRONG = "SELECT count(*) FROM dead_letter"
WRONG_OF_DECIDER = "SELECT count(*) FILTER (WHERE status <> 'decided') FROM decision"


def meta_of(message: Message, actor: UUID) -> Meta:
    """The envelope as gateway or runtime would have made it."""
    id = uuid4()
    caused = isinstance(message, State)
    return Meta(
        id,
        type(message).__name__,
        datetime.now(UTC),
        message.about,
        "pickly/curation" if caused else "pickly/gateway",
        actor=actor,
        cause=uuid4() if caused else None,
        correlation=id,
        sequence=message.version if isinstance(message, State) else None,
        traceparent=TRACE,
    )


async def put(config: Settings, messages: Iterable[tuple[Message, UUID]]) -> int:
    """Put messages and who wants them on their topics; how many it were."""
    total = 0
    async with AIOKafkaProducer(
        bootstrap_servers=config.kafka, acks="all", linger_ms=20, max_batch_size=2**19
    ) as producer:
        waiting: list[asyncio.Future[object]] = []
        for message, actor in messages:
            headers = [(name, text.encode()) for name, text in meta_of(message, actor).headers().items()]
            sent = await producer.send(
                message.topic.name,
                message.body(),
                key=message.key.encode(),
                headers=headers,
                partition=partition_of(message.key, message.topic),
            )
            waiting.append(sent)
            total += 1
            if len(waiting) == PORTION:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
    return total


async def work_off(config: Settings, group: Group, messages: int) -> Figure:
    """Let the group apply everything, with tables that know nothing of an earlier time.

    Raises RuntimeError when it set something aside or decided otherwise than to do as asked.
    """
    async with inside(config, group.schema) as db:
        tables = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", group.schema)
        await db.execute(f"TRUNCATE {', '.join(row['tablename'] for row in tables)}")
        watch, waker = await Stopwatch.of(db, messages), Waker(config)
        run = RunningGroup(group, config, waker)
        with _starting(watch):
            await run.start(Process())
            while sum(run.poller.expected.values()) < messages:
                if (error := run.failed()) is not None:
                    raise error
                await asyncio.sleep(0.02)
        figure = watch.stop()
        await run.stop()
        await waker.close()
        if (wrong := await db.fetchval(WRONG_OF_DECIDER if isinstance(group, Decider) else WRONG)) != 0:
            raise RuntimeError(f"{group.name} did not do what {wrong} of {messages} messages asked for")
    return figure


@contextmanager
def _starting(watch: Stopwatch) -> Iterator[None]:
    """Start the watch when a partition is read for the first time, before any record is there."""

    async def timed(
        consumer: Consumer, group: Group, running: Mapping[TopicPartition, int], most: int
    ) -> Poll:
        if running:
            watch.start()
        return await reading.read(consumer, group, running, most)

    with patch("infra.runtime.intake.read", timed):
        yield
