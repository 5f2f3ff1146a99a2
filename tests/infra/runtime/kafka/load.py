"""A load of numbered commands with a ledger: what must come out of it, exactly."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
from aiokafka.errors import KafkaError

from tests.infra.runtime.kafka.stage import Stage, until
from tests.infra.runtime.widgets import OWNER, Contract


@dataclass
class Load:
    """Sends Put number 0, 1, 2, ... of each key in order, some of them twice, until each is acknowledged."""

    stage: Stage
    c: Contract
    keys: tuple[str, ...] = tuple(f"k{n}" for n in range(12))
    value: str = "v"
    every: float = 0.01
    sent: dict[str, int] = field(default_factory=dict)
    ids: set[UUID] = field(default_factory=set)
    sending: "asyncio.Task[None] | None" = None
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Send all the while."""
        self.sending = asyncio.create_task(self._for_ever())
        try:
            yield
        finally:
            self.enough.set()
            await self.sending

    async def _for_ever(self) -> None:
        while not self.enough.is_set():
            await self.once()
            await asyncio.sleep(self.every)

    async def finished(self) -> None:
        """Send no more, and wait until all is decided."""
        self.enough.set()
        if self.sending is not None:
            await self.sending
        await self.drained()

    async def moved_on(self, commands: int = 20, seconds: float = 60.0) -> None:
        """Wait until so many more are decided."""
        goal = await self.decided() + commands

        async def further() -> bool:
            return await self.decided() >= goal

        await until(further, f"{commands} more commands are decided", seconds)

    async def send(self, commands: int) -> None:
        """Send so many, as fast as they are acknowledged."""
        for _ in range(commands):
            await self.once()

    async def once(self) -> None:
        """The next command, for a random key; the same again when its outcome is unknown."""
        key, id = self.chance.choice(self.keys), uuid4()
        number = self.sent.get(key, 0)
        command = self.c.Put(key_=key, owner=OWNER, value=self.value, n=number)
        for _ in range(2 if self.chance.random() < 0.1 else 1):
            await self._acknowledged(command, id)
        self.sent[key] = number + 1
        self.ids.add(id)

    async def _acknowledged(self, command: object, id: UUID) -> None:
        while True:
            try:
                async with asyncio.timeout(10):
                    await self.stage.send(command, id=id)  # type: ignore[arg-type]  # a class made in a function
                return
            except (KafkaError, TimeoutError):
                await asyncio.sleep(0.2)

    async def decided(self) -> int:
        """How many of the commands have a decision; -1 when the database does not tell."""
        query = "SELECT count(*) FROM widgets.decision WHERE command_id = ANY($1)"
        try:
            return int(await self.stage.db.fetchval(query, list(self.ids)))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return -1

    async def drained(self, seconds: float = 60.0) -> None:
        """Wait until every command has its decision."""

        async def all_decided() -> bool:
            return await self.decided() == len(self.ids)

        await until(all_decided, f"{len(self.ids)} commands are decided", seconds)

    async def check(self) -> None:
        """Nothing lost, nothing twice, each key in order, one event per command."""
        db = self.stage.db
        rows = await db.fetch("SELECT key, numbers FROM widgets.widget WHERE key = ANY($1)", list(self.keys))
        assert {row["key"]: row["numbers"] for row in rows} == {
            key: list(range(sent)) for key, sent in self.sent.items()
        }
        rows = await db.fetch(
            "SELECT key, array_agg((headers->>'ce_sequence')::int ORDER BY id) AS versions"
            " FROM widgets.outbox WHERE key = ANY($1) GROUP BY key",
            list(self.keys),
        )
        assert {row["key"]: row["versions"] for row in rows} == {
            key: list(range(1, sent + 1)) for key, sent in self.sent.items()
        }
        causes = await db.fetch("SELECT cause FROM widgets.outbox WHERE key = ANY($1)", list(self.keys))
        assert {row["cause"] for row in causes} == self.ids
        assert await db.fetchval("SELECT count(*) FROM widgets.dead_letter") == 0
