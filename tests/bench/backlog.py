"""A backlog on a topic, a fresh database, and a clock for whoever drains it."""

import asyncio
import cProfile
import resource
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.process import Process
from infra.runtime.group import Group
from infra.runtime.running import RunningGroup
from infra.settings import Settings, settings
from infra.wake import Waker
from schemas.message import Message
from schemas.topics import Topic
from tests.infra.runtime.conftest import make_schema
from tests.infra.runtime.widgets import READ_SCHEMA, SCHEMA, Tape

RAW_SCHEMA: Final = """
CREATE SCHEMA raw;
CREATE TABLE raw.widget (key text, value text, n int, PRIMARY KEY (key, n));
CREATE TABLE raw.position (partition int PRIMARY KEY, next_offset bigint NOT NULL);
"""


@dataclass(frozen=True)
class Figure:
    """What one variant did: messages per second, and CPU microseconds of this process for each."""

    variant: str
    rate: float
    cpu: float


@dataclass
class Clock:
    """Runs from the first message of a variant to its last."""

    messages: int
    profile: cProfile.Profile | None = None
    began: float = 0.0
    cpu: float = 0.0

    def start(self) -> None:
        """The first message is there; further calls change nothing."""
        if not self.began:
            self.began, self.cpu = time.perf_counter(), cpu_seconds()
            if self.profile is not None:
                self.profile.enable()

    def stop(self, variant: str) -> Figure:
        """The last one is done."""
        if self.profile is not None:
            self.profile.disable()
        seconds, cpu = time.perf_counter() - self.began, cpu_seconds() - self.cpu
        return Figure(variant, self.messages / seconds, cpu / self.messages * 1e6)


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@dataclass
class Place:
    """A fresh database, and the broker."""

    settings: Settings
    messages: int

    async def fill(self, topic: Topic, message: Callable[[int], Message]) -> None:
        """Make a topic and put the backlog on it."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka)
        await admin.start()
        made = NewTopic(
            topic.name, topic.partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime"}
        )
        await admin.create_topics([made])
        await admin.close()
        tape = Tape.of(topic)
        async with AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka, acks="all", linger_ms=20, max_batch_size=2**19
        ) as producer:
            futures = []
            for number in range(self.messages):
                record = tape.add(message(number))
                sending = await producer.send(
                    topic.name,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                )
                futures.append(sending)
            await asyncio.gather(*futures)

    async def drain(self, variant: str, group: Group, clock: Clock) -> Figure:
        """Let a group work until everything is applied."""
        waker = Waker(self.settings)
        run = RunningGroup(group, self.settings, waker)
        handle = run.poller.run

        async def timed(polled: Any) -> Any:
            clock.start()
            return await handle(polled)

        run.poller.run = timed  # type: ignore[method-assign]  # the clock begins with the first poll
        await run.start(Process())
        while sum(run.poller.expected.values()) < self.messages:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.005)
        figure = clock.stop(variant)
        await run.stop()
        await waker.close()
        return figure


@asynccontextmanager
async def fresh(messages: int, folder: Path) -> AsyncIterator[Place]:
    """A database that is dropped afterwards."""
    base, name = settings(), f"bench_{uuid4().hex[:12]}"
    secrets = folder / "secrets"
    shutil.copytree(base.secrets, secrets, dirs_exist_ok=True)
    own = base.model_copy(
        update={"database": f"{base.database.rpartition('/')[0]}/{name}", "secrets": secrets}
    )
    admin = await asyncpg.connect(base.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    for role in ("widgets", "read_widgets"):
        (secrets / f"pg_{role}").write_text("secret")
        await admin.execute(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD 'secret';"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    inside = await asyncpg.connect(own.dsn("postgres"))
    await make_schema(inside, "widgets", "decider", SCHEMA)
    await make_schema(inside, "read_widgets", "projection", READ_SCHEMA)
    await inside.execute(RAW_SCHEMA)
    await inside.close()
    yield Place(own, messages)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
