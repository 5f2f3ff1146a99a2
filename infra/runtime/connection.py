"""The one dedicated Postgres connection of a group, made anew whenever it was lost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

import asyncpg

from infra.runtime.handlers import Db
from infra.settings import Settings

LIMITS: Final = {
    "lock_timeout": "3s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "8s",
    "synchronous_commit": "on",
}
"""Set per session. A frozen holder of a row lock is cut off by the server, not by us."""


class Connection:
    """Hands its connection to one user at a time; a pool would drop prepared statements and cost 200 us."""

    def __init__(
        self,
        settings: Settings,
        role: str,
        *,
        purpose: str,
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`options` are session settings on top of LIMITS."""
        self._dsn = settings.dsn(role)
        self._options = {**LIMITS, **options, "application_name": f"{role}/{purpose}"}
        self._lock = asyncio.Lock()
        self._db: Db | None = None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Db]:
        """The connection, exclusively. Connects when needed; raises OSError and the like when it cannot."""
        async with self._lock:
            if self._db is None or self._db.is_closed():
                self._db = await asyncpg.connect(
                    self._dsn,
                    timeout=5,
                    command_timeout=15,
                    server_settings=self._options,
                )
            yield self._db

    async def close(self) -> None:
        """Close it; bounded, since the server may be away."""
        async with self._lock:
            if self._db is not None and not self._db.is_closed():
                try:
                    await self._db.close(timeout=2)
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    self._db.terminate()
            self._db = None
