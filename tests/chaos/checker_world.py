"""An honest run: the real groups and the relay on servers of their own, and a load that meets every rule."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from consumers.registry import ALL
from infra.ops import topics
from infra.ops.migrate import migrate
from infra.partitions import partition_of
from infra.process import Process
from infra.roles import DECIDERS
from infra.runtime.running import RunningGroup
from infra.settings import Settings
from infra.wake import Waker
from producers.relay import Relay
from schemas.envelope import Meta
from schemas.message import Command
from schemas.picks import DeletePick, EditPick, PublishPick, RestorePick
from schemas.topics import PICK_COMMANDS
from tests.chaos.ledger import Attempt
from tests.given import ANA, BO, NOON, SOLARIS, a_pick, reacts, unreacts

Headers = list[tuple[str, bytes]]
PATIENCE = 60.0


@dataclass
class Sender:
    """Sends straight to the topics and keeps the ledger."""

    producer: AIOKafkaProducer
    attempts: list[Attempt] = field(default_factory=list)
    _sent: dict[tuple[str, str], int] = field(default_factory=dict)

    async def send(
        self, command: Command, *, actor: UUID | None = None, times: int = 1, version: int | None = None
    ) -> UUID:
        """Send a command, so many times under one id."""
        id = uuid4()
        author: UUID = getattr(command, command.author_field or "")
        meta = Meta(
            id, type(command).__name__, NOON, command.about, actor=actor or author, expected_version=version
        )
        headers = [(name, text.encode()) for name, text in meta.headers().items()]
        for _ in range(times):
            await self.wire(
                id, command.key, command.body(), headers, type(command).__name__, command.topic.name
            )
        return id

    async def wire(
        self, id: UUID, key: str, value: bytes, headers: Headers, kind: str, topic: str, poison: str = ""
    ) -> None:
        """Send any bytes, and write it down; the same id is the same number."""
        known = next((each.seq for each in self.attempts if each.id == id), None)
        number = self._sent.get((topic, key), 0) + 1 if known is None else known
        self._sent[topic, key] = number
        partition = partition_of(key, PICK_COMMANDS)
        done = await self.producer.send_and_wait(
            topic, value, key=key.encode(), partition=partition, headers=headers
        )
        place = f"{topic}/{partition}/{done.offset}" if poison else ""
        body_hash = hashlib.sha256(value).hexdigest()
        self.attempts.append(
            Attempt(id, key, number, kind, topic, body_hash, "topic", time.time(), "acked", poison, place)
        )


async def honest_load(sender: Sender) -> None:
    """Every decision and refusal, repeats, poison with what parks behind it."""
    pick = a_pick(note="first", rating=4.0, tags=("a",))
    of: dict[str, Any] = {"pick_id": pick.pick_id, "author_id": ANA}
    await sender.send(pick, times=2)
    await sender.send(a_pick(BO))
    await sender.send(pick)
    await sender.send(EditPick(**of, note="second"), times=2)
    await sender.send(EditPick(**of, note="second"))
    await sender.send(EditPick(**of, rating=None), version=2)
    await sender.send(EditPick(**of, rating=1.0), version=2)
    await sender.send(EditPick(**of, note="forged"), actor=BO)
    await sender.send(EditPick(pick_id=pick.pick_id, author_id=BO, note="mine"))
    await sender.send(DeletePick(**of))
    await sender.send(EditPick(**of, note="hidden"))
    await sender.send(RestorePick(**of))
    await sender.send(RestorePick(**of))
    await sender.send(reacts(), times=2)
    await sender.send(reacts())
    await sender.send(unreacts())
    await sender.send(unreacts())
    await sender.send(reacts())
    await sender.send(reacts(kind="love"))
    await poison(sender)


async def poison(sender: Sender) -> None:
    """A body that is no command parks its key; records without an envelope are one letter each."""
    films = [a_pick(ANA, SOLARIS.model_copy(update={"ref": f"imdb:{n}"})) for n in range(3)]
    kind, topic = PublishPick.__name__, PICK_COMMANDS.name
    for pick, reason in zip(films, ("invalid_body", "undecodable_headers", "bad_envelope"), strict=True):
        id = uuid4()
        meta = Meta(id, kind, NOON, pick.about, actor=ANA)
        headers = [(name, text.encode()) for name, text in meta.headers().items()]
        if reason == "undecodable_headers":
            headers.append(("x", b"\xff"))
        if reason == "bad_envelope":
            headers = [("ce_type", kind.encode())]
        body = b"{}" if reason == "invalid_body" else pick.body()
        await sender.wire(id, pick.key, body, headers, kind, topic, reason)
        await sender.send(pick)


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """Every group and the relay, at work in this process."""
    process = Process()
    async with AsyncExitStack() as stack:
        waker = Waker(settings)
        stack.push_async_callback(waker.close)
        for group in ALL.values():
            run = RunningGroup(group, settings, waker)
            await run.start(process)
            stack.push_async_callback(run.stop)
        relays = [Relay(schema, settings, process, waker) for schema in DECIDERS]
        tasks = [asyncio.create_task(relay.run()) for relay in relays]
        yield
        process.stopping.set()
        await asyncio.gather(*tasks)


async def honest_run(settings: Settings) -> list[Attempt]:
    """Topics, schemas, the load, and rest; returns the ledger."""
    await topics.apply(settings)
    await migrate(settings)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all") as producer:
        sender = Sender(producer)
        async with working(settings):
            await honest_load(sender)
            await _at_rest(settings, {attempt.id for attempt in sender.attempts})
    return sender.attempts


SHOWN = """
    SELECT NOT EXISTS (SELECT 1 FROM curation.outbox) AND NOT EXISTS (SELECT 1 FROM social.outbox)
       AND (SELECT count(*) FROM curation.pick) = (SELECT count(*) FROM read_picks.pick)
       AND (SELECT sum(version) FROM curation.pick) = (SELECT sum(version) FROM read_picks.pick)
       AND (SELECT sum(version) FROM curation.pick) = (SELECT sum(version) FROM read_things.pick_edge)
       AND (SELECT count(*) FROM curation.thing) = (SELECT count(*) FROM read_things.thing)
       AND (SELECT sum(version) FROM social.reaction) = (SELECT sum(version) FROM read_picks.reaction)
"""


async def _at_rest(settings: Settings, ids: set[UUID]) -> None:
    """Everything decided (two of the poison have no decision), sent and shown."""
    db = await asyncpg.connect(settings.dsn("postgres"))
    end = time.monotonic() + PATIENCE
    try:
        while True:
            decided = await db.fetchval(
                "SELECT count(*) FROM mesh.decisions WHERE command_id = ANY($1)", list(ids)
            )
            if decided == len(ids) - 2 and await db.fetchval(SHOWN):
                return
            assert time.monotonic() < end, f"{decided} of {len(ids) - 2} decisions, or not all shown"
            await asyncio.sleep(0.1)
    finally:
        await db.close()
