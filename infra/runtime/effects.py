"""The second loop of a group: effects, which leave only after the commit that decided them.

A row is leased, run, and deleted when it worked. It may run twice (a crash between the two), so an effect's
id is passed on for the other side to recognise a repeat.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson
import structlog

from infra.runtime import ledger, metrics
from infra.runtime.connection import Connection
from infra.runtime.fates import Fate, fate_of
from infra.runtime.group import Db, Group
from schemas.envelope import Meta
from schemas.message import Command

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=2)
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
                     AND (leased_until IS NULL OR leased_until < clock_timestamp())
                   ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, payload, cause, attempts
"""


@dataclass(slots=True)
class Effects:
    """The effect functions of one group, by kind, and the loop that runs them."""

    group: Group
    connection: Connection
    functions: dict[str, EffectFunction] = field(default_factory=dict)

    async def run_due(self) -> int:
        """Run what is due, at most ten; returns how many were tried. Raises what the database raises."""
        async with self.connection.use() as db:
            rows = await db.fetch(CLAIM, self.group.name, BATCH, LEASE)
        for row in rows:
            await self._run(
                row["id"], row["kind"], orjson.loads(row["payload"]), row["cause"], row["attempts"]
            )
        return len(rows)

    async def _run(self, id: UUID, kind: str, payload: dict[str, Any], cause: UUID, attempts: int) -> None:
        try:
            result = await self.functions[kind](id, payload)
        except Exception as error:
            outage = fate_of(error) is Fate.OUTAGE
            metrics.EFFECTS.labels(self.group.name, kind, "outage" if outage else "failed").inc()
            log.warning(
                "effect_failed", group=self.group.name, kind=kind, id=str(id), error=type(error).__name__
            )
            async with self.connection.use() as db:
                await _put_back(db, id, error, attempts, outage=outage)
            return
        async with self.connection.use() as db, db.transaction():
            if await db.execute("DELETE FROM effect WHERE id = $1", id) == "DELETE 1" and result is not None:
                await self._post(db, id, cause, result)
        metrics.EFFECTS.labels(self.group.name, kind, "done").inc()

    async def _post(self, db: Db, id: UUID, cause: UUID, result: Command) -> None:
        meta = Meta(id, "Effect", datetime.now(UTC), "", cause=cause, correlation=cause)
        await ledger.post(db, self.group, [ledger.cause(self.group, meta, result, 0)])


async def _put_back(db: Db, id: UUID, error: Exception, attempts: int, *, outage: bool) -> None:
    """Try again later, or give up: the row stays as a dead letter without its payload."""
    text = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
    if attempts >= TRIES and not outage:
        await db.execute(
            "UPDATE effect SET dead_at = clock_timestamp(), error = $2, payload = '{}' WHERE id = $1",
            id,
            text,
        )
        return
    pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE)
    pause *= random.uniform(0.8, 1.2)  # no secret, only spread
    await db.execute(
        "UPDATE effect SET due_at = clock_timestamp() + $2::interval, leased_until = NULL, error = $3,"
        " attempts = attempts - $4 WHERE id = $1",
        id,
        pause,
        text,
        int(outage),
    )
