"""The second loop of a group: effects, which leave only after the commit that decided them.

A row is leased, run, and deleted when it worked. It may run twice (a crash between the two), so an effect's
id is passed on for the other side to recognise a repeat.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import structlog

from infra.runtime import ledger, metrics
from infra.runtime.connection import Connection
from infra.runtime.fates import Fate, fate_of
from infra.runtime.group import Group
from infra.runtime.handlers import Db
from infra.telemetry.errors import describe
from schemas.envelope import Meta
from schemas.message import Command

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=2)
RUN_SECONDS: Final = 60.0
"""An effect that takes longer counts as an outage: nobody may take it over while it still runs."""
TRIES: Final = 8
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=10)
BATCH: Final = 10

EffectFunction: TypeAlias = Callable[[UUID, dict[str, Any]], Awaitable[Command | None]]
"""Takes the effect's id and payload; a result that matters comes back as a command."""

CLAIM: Final = """
    UPDATE effect SET leased_until = clock_timestamp() + $3::interval, attempts = attempts + 1
     WHERE id IN (SELECT id FROM effect
                   WHERE group_name = $1 AND dead_at IS NULL AND due_at <= clock_timestamp()
                     AND (leased_until IS NULL OR leased_until < clock_timestamp()) AND kind = ANY($4::text[])
                   ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, payload, cause, attempts
"""
PUT_BACK: Final = """
    UPDATE effect SET due_at = clock_timestamp() + $2::interval, leased_until = NULL, error = $3,
           attempts = attempts - $4
     WHERE id = $1
"""
GIVE_UP: Final = "UPDATE effect SET dead_at = clock_timestamp(), error = $2, payload = '{}' WHERE id = $1"


@dataclass(slots=True)
class Effects:
    """The effect functions of one group, by kind, and the loop that runs them.

    Kinds without a function are left alone: newer code knows them.
    """

    group: Group
    connection: Connection
    functions: dict[str, EffectFunction] = field(default_factory=dict)
    _outages: Counter[UUID] = field(default_factory=Counter)

    async def run_due(self) -> int:
        """Run what is due, ten at most, at once; returns how many. Raises what the database raises."""
        async with self.connection.use() as db:
            rows = await db.fetch(CLAIM, self.group.name, BATCH, LEASE, list(self.functions))
        results = await asyncio.gather(*(self._run(row) for row in rows), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(rows)

    async def _run(self, row: asyncpg.Record) -> None:
        id, kind = row["id"], row["kind"]
        if row["attempts"] > TRIES:  # it was never put back: it ends the process that runs it
            await self._execute(GIVE_UP, id, "the process died each time")
            return
        try:
            async with asyncio.timeout(RUN_SECONDS):
                result = await self.functions[kind](id, orjson.loads(row["payload"]))
        except asyncio.CancelledError:  # the process stops: another may take it at once
            await self._execute(PUT_BACK, id, timedelta(), "", 1)
            raise
        except Exception as error:
            await self._put_back(row, error)
            return
        async with self.connection.use() as db, db.transaction():
            if await db.execute("DELETE FROM effect WHERE id = $1", id) == "DELETE 1" and result is not None:
                await self._post(db, id, row["cause"], result)
        del self._outages[id]
        metrics.EFFECTS.labels(self.group.name, kind, "done").inc()

    async def _post(self, db: Db, id: UUID, cause: UUID, result: Command) -> None:
        meta = Meta(id, "Effect", datetime.now(UTC), "", cause=cause, correlation=cause)
        await ledger.post(db, self.group, [ledger.cause(self.group, meta, result, 0)])

    async def _put_back(self, row: asyncpg.Record, error: Exception) -> None:
        """Try again later, or give up: the row stays as a dead letter without its payload."""
        id, kind, attempts = row["id"], row["kind"], row["attempts"]
        outage = fate_of(error) is Fate.OUTAGE
        metrics.EFFECTS.labels(self.group.name, kind, "outage" if outage else "failed").inc()
        log.warning("effect_failed", group=self.group.name, kind=kind, id=str(id), error=describe(error))
        text = describe(error)
        if outage:
            self._outages[id] += 1
        if attempts >= TRIES and not outage:
            del self._outages[id]
            await self._execute(GIVE_UP, id, text)
            return
        earlier = attempts - 1 + self._outages[id] - outage
        pause = min(FIRST_PAUSE * 2 ** min(earlier, 20), LONGEST_PAUSE)
        pause *= random.uniform(0.8, 1.2)  # no secret, only spread
        await self._execute(PUT_BACK, id, pause, text, int(outage))

    async def _execute(self, statement: str, *arguments: object) -> None:
        async with self.connection.use() as db:
            await db.execute(statement, *arguments)
