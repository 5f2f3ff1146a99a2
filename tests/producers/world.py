"""A decider's schema as the relay sees it: events posted as the runtime posts them, and their fate."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg

from infra.ops.migrate import migrate
from infra.partitions import partition_of
from infra.settings import Settings
from schemas.topics import PICK_EVENTS, Topic
from tests.producers.reading import header, read

if TYPE_CHECKING:
    from asyncpg import Connection

SCHEMA = "curation"
PATIENCE = 60.0


@dataclass(frozen=True)
class Event:
    """A state event of a test: `version` is the version of `key`."""

    key: str
    version: int = 1
    cause: UUID = field(default_factory=uuid4)
    id: UUID = field(default_factory=uuid4)
    topic: Topic = PICK_EVENTS
    body: bytes | None = b"{}"

    @property
    def headers(self) -> dict[str, str]:
        return {"ce_id": str(self.id), "ce_cause": str(self.cause), "ce_sequence": str(self.version)}


def on_database(settings: Settings, name: str) -> Settings:
    """The same servers, another database."""
    parts = urlsplit(settings.database)._replace(path=f"/{name}")
    return settings.model_copy(update={"database": urlunsplit(parts)})


class World:
    """One migrated database; events go into the outbox of SCHEMA."""

    def __init__(self, settings: Settings, connection: "Connection") -> None:
        self.settings = settings
        self.connection = connection

    async def post(self, events: Sequence[Event], *, commands: bool = True) -> None:
        """One transaction of a decider; with `commands` every cause is a command that has a decision."""
        causes = {event.cause: 0 for event in events}
        for event in events:
            causes[event.cause] += 1
        async with self.connection.transaction():
            if commands:
                await self.connection.executemany(
                    "INSERT INTO decision (command_id, type, status, resource, events, at)"
                    " VALUES ($1, 'PublishPick', 'decided', 'picks/x', $2, now())",
                    list(causes.items()),
                )
            await self.connection.executemany(
                "INSERT INTO outbox (cause, event_id, topic, partition, key, body, headers)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                [
                    (
                        e.cause,
                        e.id,
                        e.topic.name,
                        partition_of(e.key, e.topic),
                        e.key,
                        e.body,
                        json.dumps(e.headers),
                    )
                    for e in events
                ],
            )
            await self.connection.execute(f"NOTIFY outbox_{SCHEMA}")

    async def waiting(self) -> int:
        """How many events have not been sent."""
        return int(await self.connection.fetchval("SELECT count(*) FROM outbox"))

    async def until_sent(self, pause: float = 0.02) -> None:
        """Return when the outbox is empty; `pause` seconds between looks."""

        async def empty() -> bool:
            return not await self.waiting()

        await until(empty, "the outbox is not empty", pause)

    async def offsets(self, cause: UUID) -> dict[str, tuple[str, int, int]]:
        """Where the decision of a command says that its events are, by event id."""
        text = await self.connection.fetchval("SELECT offsets FROM decision WHERE command_id = $1", cause)
        return {event: (topic, part, offset) for event, (topic, part, offset) in json.loads(text).items()}

    async def reconnect(self) -> None:
        """Needed after the server has been away."""
        if self.connection.is_closed():
            self.connection = await connect(self.settings)

    async def clear(self) -> None:
        """Forget everything."""
        await self.connection.execute("TRUNCATE outbox, decision")


@dataclass(frozen=True)
class Copy:
    """One record of an event."""

    id: str
    key: str
    version: int
    place: tuple[str, int, int]


async def copies(
    settings: Settings, since: dict[int, int], topic: Topic = PICK_EVENTS, *, committed: bool = True
) -> list[Copy]:
    """The events on a topic, per partition in order."""
    return [
        Copy(
            header(record, "ce_id") or "",
            (record.key or b"").decode(),
            int(header(record, "ce_sequence") or 0),
            (record.topic, record.partition, record.offset),
        )
        for record in await read(settings, topic, since, committed=committed)
    ]


def newest(records: Sequence[Copy]) -> dict[str, int]:
    """What compaction leaves: the version of the last record of each key."""
    return {record.key: record.version for record in records}


async def until(condition: Callable[[], Awaitable[bool]], otherwise: str, pause: float = 0.02) -> None:
    """Wait, patiently, for something to become true."""
    end = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < end, otherwise
        await asyncio.sleep(pause)


async def connect(settings: Settings) -> "Connection":
    """As superuser, in SCHEMA."""
    return await asyncpg.connect(settings.dsn("postgres"), server_settings={"search_path": SCHEMA})


@asynccontextmanager
async def new_world(settings: Settings) -> AsyncIterator[World]:
    """A database of its own on these servers."""
    own = on_database(settings, f"relay_{uuid4().hex}")
    name = own.database.rpartition("/")[2]
    superuser = await asyncpg.connect(on_database(settings, "postgres").dsn("postgres"))
    await superuser.execute(f"CREATE DATABASE {name} OWNER migrate")
    await superuser.close()
    try:
        await migrate(own)
        world = World(own, await connect(own))
        yield world
        await world.connection.close()
    finally:
        superuser = await asyncpg.connect(on_database(settings, "postgres").dsn("postgres"))
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await superuser.close()
