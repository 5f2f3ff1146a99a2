"""Slow work before the transaction: hashing, unsealing, network, in a bounded pool."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from infra.runtime.connection import LIMITS
from infra.runtime.records import Decoded, Incoming
from infra.runtime.results import Refusal
from infra.settings import Settings
from schemas.sealed import SealedCommand

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Pool = asyncpg.Pool

AT_ONCE: Final = 3
"""Connections of the pool; with the group's own one it makes four."""
EXPIRED: Final = Refusal("expired")


class Preparation:
    """Runs `prepare(message, meta, db)` of the handlers that have one.

    `db` is an autocommit connection of the group's own role. A Refusal in place of a value is the outcome:
    the handler is not called. So it is for a sealed command whose deadline has passed.
    """

    def __init__(self, settings: Settings, role: str) -> None:
        self._dsn = settings.dsn(role)
        self._role = role
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._pool: Pool | None = None

    async def run(self, decoded: Sequence[Decoded]) -> list[Decoded]:
        """The same messages, each with its prepared value. An exception is that of a handler that failed."""
        waiting = [e for e in decoded if isinstance(e, Incoming) and e.handler.prepare and e.prepared is None]
        if not waiting:
            return list(decoded)
        done = await asyncio.gather(*(self._one(each) for each in waiting))
        ready = {id(before): after for before, after in zip(waiting, done, strict=True)}
        return [ready.get(id(each), each) for each in decoded]

    async def _one(self, each: Incoming) -> Incoming:
        assert each.handler.prepare is not None
        if _is_late(each):
            return replace(each, prepared=EXPIRED)
        async with self._permits:
            pool = await self._connect()
            async with pool.acquire() as db:
                value = await each.handler.prepare(each.message, each.meta, db)
        return replace(each, prepared=value)

    async def _connect(self) -> Pool:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=AT_ONCE,
                command_timeout=15,
                server_settings={**LIMITS, "application_name": f"{self._role}/prepare"},
            )
        return self._pool

    async def close(self) -> None:
        """Close the pool's connections; bounded."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None


def _is_late(each: Incoming) -> bool:
    message = each.message
    return isinstance(message, SealedCommand) and datetime.now(UTC) - each.meta.at > message.deadline
