"""How fast the relay empties an outbox, against a bare transactional producer with pages of the same size.

The events are PickPublished with the whole envelope. The bare producer has them in memory, ready to send:
one batch per partition, one transaction per page of 500. The relay reads them from PostgreSQL, sends them,
deletes them, and writes every offset into the decision that caused the event.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from infra.partitions import partition_of
from infra.process import Process
from infra.settings import Settings
from infra.wake import Waker
from producers.link import BATCH_BYTES
from producers.outbox import PAGE_ROWS
from producers.relay import SENT, Relay
from schemas.topics import PICK_EVENTS
from tests.bench import backlog, made
from tests.bench.document import Bar, Row
from tests.bench.effort import Effort
from tests.bench.ground import inside, platform
from tests.bench.stopwatch import Figure, Stopwatch
from tests.producers.reading import ends

if TYPE_CHECKING:
    from asyncpg import Connection

NAME = "relay"
SCHEMA = "curation"
EVENTS = 30_000
DECISION = """
INSERT INTO decision (command_id, type, status, resource, events, at)
VALUES ($1, 'PublishPick', 'decided', 'picks/x', 1, now()) ON CONFLICT DO NOTHING
"""
OUTBOX = """
INSERT INTO outbox (cause, event_id, topic, partition, key, body, headers) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a pick, as the runtime would write it into the outbox."""

    cause: UUID
    id: UUID
    partition: int
    key: str
    body: bytes
    headers: dict[str, str]


async def relay(config: Settings, effort: Effort) -> list[Row]:
    """One row, and how long a single event takes through an idle relay."""
    count = effort.of(EVENTS)
    ours: list[Figure] = []
    theirs: list[Figure] = []
    async with platform(config) as own, inside(own, SCHEMA) as db:
        for _ in range(effort.repetitions):
            events = _events(count)
            theirs.append(await _bare(own, db, events))
            ours.append(await _relayed(own, db, events))
        single = await _single(own, db, effort.of(100))
    return [
        Row.of(
            NAME,
            "relay: drain of an outbox",
            f"bare transactional producer, pages of {PAGE_ROWS}",
            "events per second",
            [figure.rate for figure in ours],
            [figure.rate for figure in theirs],
            Bar(at_least=0.6),
            **{
                "ours CPU us": min(figure.cpu for figure in ours),
                "ours PostgreSQL us": min(figure.postgres for figure in ours),
                "theirs CPU us": min(figure.cpu for figure in theirs),
                "one event through an idle relay p50 ms": single[len(single) // 2],
                "events": count,
            },
        )
    ]


def _events(count: int) -> list[Event]:
    """Of three commands two cause one event, the third two."""
    causes = [uuid4() for _ in range(count * 3 // 4 + 1)]
    return [_event(number, causes[number % len(causes)]) for number in range(count)]


def _event(number: int, cause: UUID) -> Event:
    pick = made.published(number)
    meta = replace(backlog.meta_of(pick, pick.author_id), cause=cause)
    return Event(cause, meta.id, partition_of(pick.key, PICK_EVENTS), pick.key, pick.body(), meta.headers())


async def _bare(own: Settings, db: "Connection", events: Sequence[Event]) -> Figure:
    producer = AIOKafkaProducer(
        bootstrap_servers=own.kafka,
        acks="all",
        transactional_id=f"bench-{uuid4()}",
        max_batch_size=BATCH_BYTES,
    )
    await producer.start()
    ready = [_ready(event) for event in events]
    watch = await Stopwatch.of(db, len(ready))
    watch.start()
    for start in range(0, len(ready), PAGE_ROWS):
        await producer.begin_transaction()
        await _send(producer, ready[start : start + PAGE_ROWS])
        await producer.commit_transaction()
    figure = watch.stop()
    await producer.stop()
    return figure


Ready = tuple[int, bytes, bytes, list[tuple[str, bytes]]]
"""Partition, key, body, headers."""


def _ready(event: Event) -> Ready:
    headers = [(name, value.encode()) for name, value in event.headers.items()]
    return event.partition, event.key.encode(), event.body, headers


async def _send(producer: AIOKafkaProducer, page: Sequence[Ready]) -> None:
    """One batch per partition."""
    groups: dict[int, list[Ready]] = {}
    for ready in page:
        groups.setdefault(ready[0], []).append(ready)
    sends = []
    for partition, members in groups.items():
        batch = producer.create_batch()
        for _, key, body, headers in members:
            if batch.append(timestamp=None, key=key, value=body, headers=headers) is None:
                raise RuntimeError("the page does not fit into a batch")
        sends.append(await producer.send_batch(batch, PICK_EVENTS.name, partition=partition))
    await asyncio.gather(*sends)


async def _relayed(own: Settings, db: "Connection", events: Sequence[Event]) -> Figure:
    """A full outbox, emptied by the real relay in this process; from its start to the last offset written."""
    before = sum((await ends(own, PICK_EVENTS)).values())
    await _post(db, events)
    watch, goal = await Stopwatch.of(db, len(events)), _sent() + len(events)
    async with _running(own):
        watch.start()
        await _until_sent(goal, 0.005)
        figure = watch.stop()
    grown = sum((await ends(own, PICK_EVENTS)).values()) - before
    waiting = await db.fetchval("SELECT count(*) FROM outbox")
    if waiting or grown < len(events):
        raise RuntimeError(f"of {len(events)} events {waiting} are unsent; the topic grew by {grown}")
    return figure


async def _single(own: Settings, db: "Connection", count: int) -> list[float]:
    """One event at a time: milliseconds from COMMIT to the decision's offsets, sorted."""
    times = []
    async with _running(own):
        for number in range(count):
            goal = _sent() + 1
            await _post(db, [_event(number, uuid4())])
            began = time.perf_counter()
            await _until_sent(goal, 0.0005)
            times.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(0.02)
    return sorted(times)


async def _post(db: "Connection", events: Sequence[Event]) -> None:
    """One transaction of a decider."""
    async with db.transaction():
        await db.executemany(DECISION, [(event.cause,) for event in events])
        await db.executemany(
            OUTBOX,
            [
                (e.cause, e.id, PICK_EVENTS.name, e.partition, e.key, e.body, json.dumps(e.headers))
                for e in events
            ],
        )
        await db.execute(f"NOTIFY outbox_{SCHEMA}")


def _sent() -> int:
    """How many events the relay has settled in this process."""
    (metric,) = SENT.collect()
    return int(sum(sample.value for sample in metric.samples if sample.name.endswith("_total")))


async def _until_sent(goal: int, pause: float) -> None:
    while _sent() < goal:  # noqa: ASYNC110  # a metric has no event
        await asyncio.sleep(pause)


@asynccontextmanager
async def _running(own: Settings) -> AsyncIterator[None]:
    process, waker = Process(), Waker(own)
    task = asyncio.create_task(Relay(SCHEMA, own, process, waker).run())
    try:
        yield
    finally:
        process.stopping.set()
        await task
        await waker.close()
