"""The gateway's connections to PostgreSQL: few, read only, and never waited for longer than a second."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg
import structlog

from gateway.config import GatewaySettings
from gateway.problems import ProblemError
from infra.settings import Settings
from infra.telemetry.errors import describe

# Server away, starting, stopping, out of connections or too slow. InterfaceError is also a ValueError when an
# argument is bad: that is a defect here, not an outage. InternalClientError is what asyncpg raises on a
# connection on which the server has said that it ends, but which it has not closed yet.
OUTAGES: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
)

if TYPE_CHECKING:
    Session: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger(__name__)


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """Nothing to reset: every statement is a SELECT of its own."""
        return ""


class Database:
    """Runs single SELECTs as the role `gateway`. An outage becomes the problem `unavailable` (503)."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds

    @asynccontextmanager
    async def session(self) -> "AsyncIterator[Session]":
        """Several statements, one after the other, on one connection: each has a snapshot of its own."""
        try:
            async with asyncio.timeout(self._seconds):  # the pool's own limit costs a task each time
                connection = await self._pool.acquire()
            try:
                yield connection
            except asyncpg.InternalClientError:
                connection.terminate()  # so that nobody gets it again
                raise
            finally:
                await self._pool.release(connection)
        except OUTAGES as error:
            if isinstance(error, ValueError):
                raise
            log.warning("the database does not answer", error=describe(error))
            raise ProblemError("unavailable", "The database does not answer; try again soon.") from None

    async def fetch(self, query: str, *arguments: object) -> "Sequence[asyncpg.Record]":
        """The rows of one statement."""
        async with self.session() as session:
            return await session.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> "asyncpg.Record | None":
        """The first row of one statement, if there is one."""
        rows = await self.fetch(query, *arguments)
        return rows[0] if rows else None


@asynccontextmanager
async def open_database(settings: Settings, limits: GatewaySettings) -> AsyncIterator[Database]:
    """A small pool that connects when it is first needed, so that the gateway starts without PostgreSQL."""
    milliseconds = str(int(limits.database_seconds * 1000))
    pool = asyncpg.create_pool(
        settings.dsn("gateway"),
        min_size=0,
        max_size=limits.database_connections,
        timeout=limits.database_seconds,
        command_timeout=limits.database_seconds * 1.5,
        connection_class=_Connection,
        server_settings={
            "application_name": settings.process,
            "statement_timeout": milliseconds,
            "default_transaction_read_only": "on",
        },
    )
    await pool
    try:
        yield Database(pool, limits.database_seconds)
    finally:
        pool.terminate()
