"""What the tests on a real broker share: topics, records on the wire, groups at work, and waiting."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from infra.process import Process
from infra.runtime import Decider, Projection
from infra.runtime.group import Group
from infra.runtime.running import RunningGroup
from infra.settings import Settings
from infra.wake import Waker
from schemas.message import Message
from schemas.topics import Topic
from tests.infra.runtime.widgets import Contract, Tape, contract, decider, projection

DEADLINE = 60.0
Header = tuple[str, bytes | None]


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = DEADLINE) -> None:
    """Return as soon as the condition holds; fail with `what` when it does not within a generous time."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.05)


def named(name: str, *, partitions: int = 4, expires: bool = False) -> Contract:
    """A contract with topics `<name>.commands` and `<name>.events`, so that two processes can share it."""
    c = contract("x", partitions=partitions, expires=expires)
    commands = replace(c.commands, name=f"{name}.commands")
    events = replace(c.events, name=f"{name}.events")
    c.Put.topic = c.Drop.topic = commands
    c.Widget.topic = c.WidgetGone.topic = events
    return replace(c, commands=commands, events=events)


def group_name(c: Contract) -> str:
    """A Kafka group of its own for each test: no member of another test can be in it."""
    return c.commands.name.removesuffix(".commands")


def deciding(c: Contract, *, many: bool = False) -> Decider:
    """A decider of widgets in a Kafka group of its own."""
    group = decider(c, many=many)
    group.name = group_name(c)
    return group


def showing(c: Contract) -> Projection:
    """A projection of widgets in a Kafka group of its own."""
    group = projection(c)
    group.name = f"{group_name(c)}.read"
    return group


def wrapped(
    group: Group,
    kind: str,
    around: Callable[..., Awaitable[Any]],
    *,
    prepare: Callable[..., Awaitable[Any]] | None = None,
    cost: float | None = None,
) -> None:
    """Let `around(function, *arguments)` stand in for the handler of `kind`."""
    handler = group.handlers[kind]
    inner = handler.function

    async def function(*arguments: Any) -> Any:
        return await around(inner, *arguments)

    price = handler.cost if cost is None else cost
    group.handlers[kind] = replace(handler, function=function, prepare=prepare, cost=price)


@dataclass
class Stage:
    """A database of its own and a broker: what a test sends, and the groups that it lets work."""

    settings: Settings
    db: "asyncpg.Pool[asyncpg.Record]"
    producer: AIOKafkaProducer
    admin: AIOKafkaAdminClient

    async def make(self, *topics: Topic, **config: str) -> None:
        """Create the topics as `./pickly topics apply` would, as far as the runtime is concerned."""
        new = []
        for topic in topics:
            policy = "compact" if topic.kind.compacted else "delete"
            settings = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": policy} | config
            new.append(NewTopic(topic.name, topic.partitions, 1, topic_configs=settings))
        await self.admin.create_topics(new)

    async def send(self, message: Message, *, partition: int | None = None, **meta: Any) -> int:
        """Put a message on its topic; returns its offset."""
        record = Tape.of(message.topic).add(message, partition=partition, **meta)
        return await self.wire(record.topic, record.partition, record.key, record.value, record.headers)

    async def wire(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
    ) -> int:
        """Put any bytes on a topic; returns the offset."""
        done = await self.producer.send_and_wait(
            topic, value, key=key, partition=partition, headers=list(headers)
        )
        return int(done.offset)

    async def drop_before(self, place: TopicPartition, offset: int) -> None:
        """Let the log of a partition start at `offset`."""
        await self.admin.delete_records({place: RecordsToDelete(offset)})

    @asynccontextmanager
    async def running(self, group: Group) -> AsyncIterator[RunningGroup]:
        """The group at work in this process."""
        run = await self.start(group)
        try:
            yield run
        finally:
            await self.stop(run)

    async def start(self, group: Group) -> RunningGroup:
        """The group at work in this process, to be stopped by `stop`."""
        run = RunningGroup(group, self.settings, Waker(self.settings))
        await run.start(Process())
        return run

    async def stop(self, run: RunningGroup) -> None:
        """Leave the group gracefully."""
        await run.stop()
        await run.intake.waker.close()

    async def count(self, table: str) -> int:
        """The rows of a table."""
        return int(await self.db.fetchval(f"SELECT count(*) FROM {table}"))

    async def numbers(self, key: str) -> list[int]:
        """The numbers of the commands that a widget has seen, in order."""
        return list(await self.db.fetchval("SELECT numbers FROM widgets.widget WHERE key = $1", key) or [])

    async def position(self, topic: str, partition: int = 0, schema: str = "widgets") -> int | None:
        """Where the group of that schema goes on."""
        offset: int | None = await self.db.fetchval(
            f"SELECT next_offset FROM {schema}.position WHERE topic = $1 AND partition = $2", topic, partition
        )
        return offset

    async def stopped(self, topic: str, partition: int = 0, schema: str = "widgets") -> str:
        """Why a partition stands still, or an empty text."""
        reason: str | None = await self.db.fetchval(
            f"SELECT stopped FROM {schema}.position WHERE topic = $1 AND partition = $2", topic, partition
        )
        return reason or ""


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A plain producer, as the gateway's: acknowledged by all, not idempotent."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", max_request_size=2**20, request_timeout_ms=3_000
    )
    await producer.start()
    yield producer
    await producer.stop()


@asynccontextmanager
async def looking_on(settings: Settings) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Connections that see everything, with the decider's schema first."""
    async with asyncpg.create_pool(
        settings.dsn("postgres"),
        min_size=0,
        max_size=4,
        server_settings={"search_path": "widgets, read_widgets"},
    ) as pool:
        yield pool


def has(stage: Stage, table: str, rows: int) -> Callable[[], Awaitable[bool]]:
    """The condition that a table has that many rows."""

    async def condition() -> bool:
        return await stage.count(table) == rows

    return condition


def new_id(number: int) -> UUID:
    """The n-th command id of a test that sends some twice."""
    return UUID(int=number + 1, version=4)
