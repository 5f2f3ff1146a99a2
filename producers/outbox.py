"""The outbox of one decider in Postgres: who may send it, what lies in it, what has been sent.

One dedicated connection holds LISTEN, the advisory lock and the queries: a pool would drop the first two. The
server ends it when it is silent for three seconds, which frees the lock from a relay that is frozen.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg
import orjson

from infra.settings import Settings
from infra.telemetry.context import HEADER

if TYPE_CHECKING:
    from asyncpg import Connection

ROLE: Final = "relay"
PAGE_ROWS: Final = 500
PAGE_BYTES: Final = 8 * 1024 * 1024
SILENT_MS: Final = 3_000
KEEP_ALIVE: Final = 1.0
LIMITS: Final = {
    "idle_session_timeout": str(SILENT_MS),
    "idle_in_transaction_session_timeout": str(SILENT_MS),
    "statement_timeout": "5000",
    "lock_timeout": "2000",
}
PAGE: Final = """
    SELECT id, topic, partition, key, body, headers, extract(epoch FROM clock_timestamp() - created_at) AS age
    FROM (
        SELECT *, sum(size) OVER (ORDER BY id) - size AS bytes_before
        FROM (SELECT *, coalesce(octet_length(body), 0) AS size FROM outbox ORDER BY id LIMIT $1) AS rows
    ) AS page
    WHERE bytes_before < $2
    ORDER BY id
"""
# What this relay deletes itself, and only that, gets its place written, under its event id, into the decision
# of the command that caused it. Events that other events caused have no decision.
SETTLE: Final = """
    WITH sent AS (
        DELETE FROM outbox USING unnest($1::bigint[], $2::bigint[]) AS placed (id, record_offset)
        WHERE outbox.id = placed.id
        RETURNING cause, event_id, topic, partition, record_offset
    ), places AS (
        SELECT cause, jsonb_object_agg(event_id, jsonb_build_array(topic, partition, record_offset)) AS added
        FROM sent GROUP BY cause
    ), written AS (
        UPDATE decision SET offsets = decision.offsets || places.added
        FROM places WHERE decision.command_id = places.cause
    )
    SELECT count(*) FROM sent
"""

T = TypeVar("T")


class LeadershipLostError(RuntimeError):
    """Rows that this relay has sent were deleted by another: it was taken for dead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event that waits to be sent."""

    id: int
    topic: str
    partition: int
    key: bytes
    body: bytes | None
    headers: list[tuple[str, bytes]]
    traceparent: str | None = None


class Outbox:
    """One connection to the outbox of `schema`."""

    def __init__(self, connection: "Connection", schema: str) -> None:
        self._connection = connection
        self._channel = f"outbox_{schema}"
        self._lock = int.from_bytes(hashlib.sha256(self._channel.encode()).digest()[:8], signed=True)
        self._notified = asyncio.Event()
        self.oldest_age: float | None = None

    @classmethod
    async def connect(cls, settings: Settings, schema: str) -> "Outbox":
        """Log in as the relay; raises OSError or asyncpg's errors while the server is away."""
        connection = await asyncpg.connect(
            settings.dsn(ROLE),
            timeout=5,
            command_timeout=6,
            server_settings={**LIMITS, "search_path": schema, "application_name": f"relay/{schema}"},
        )
        return cls(connection, schema)

    async def database(self) -> str:
        """The name of the database; clusters share a Kafka, databases a cluster."""
        return str(await self._connection.fetchval("SELECT current_database()"))

    async def lead(self) -> bool:
        """Try to become the one that sends this outbox, until the connection ends."""
        return bool(await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock))

    async def listen(self) -> None:
        """Let deciders end `wait` with NOTIFY."""
        await self._connection.add_listener(self._channel, lambda *_: self._notified.set())

    async def measure(self) -> None:
        """Look how long the oldest row has waited, without taking anything out."""
        self.oldest_age = await self._connection.fetchval(
            "SELECT extract(epoch FROM clock_timestamp() - created_at)::float FROM outbox ORDER BY id LIMIT 1"
        )

    async def page(self) -> list[Row]:
        """The first rows in the order of their ids: at most PAGE_ROWS, and not much more than PAGE_BYTES."""
        self._notified.clear()
        rows = await self._connection.fetch(PAGE, PAGE_ROWS, PAGE_BYTES)
        self.oldest_age = float(rows[0]["age"]) if rows else None
        return [
            _row(id_, topic, partition, key, body, orjson.loads(headers))
            for id_, topic, partition, key, body, headers, _ in rows
        ]

    async def settle(self, rows: Sequence[Row], offsets: Sequence[int]) -> None:
        """Delete rows that are on their topics for good, and tell the decisions where; one statement.

        Raises LeadershipLostError when some were deleted by somebody else.
        """
        deleted = await self._connection.fetchval(SETTLE, [row.id for row in rows], list(offsets))
        if deleted != len(rows):
            raise LeadershipLostError(f"{len(rows) - deleted} of {len(rows)} rows were gone already")

    async def wait(self, seconds: float) -> None:
        """Return when a decider has committed something, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._notified.wait()
        except TimeoutError:
            return

    async def hold_while(self, work: Awaitable[T], seconds: float) -> T:
        """Await what Kafka does, at most `seconds`, without falling silent towards Postgres."""
        task = asyncio.ensure_future(work)
        try:
            async with asyncio.timeout(seconds):
                while not (await asyncio.wait({task}, timeout=KEEP_ALIVE))[0]:
                    await self._connection.execute("SELECT 1")
            return await task
        finally:
            task.cancel()

    async def close(self) -> None:
        """Let go of connection and lock, at once if need be."""
        try:
            await self._connection.close(timeout=1)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()


def _row(id_: int, topic: str, partition: int, key: str, body: bytes | None, headers: dict[str, str]) -> Row:
    wire = [(name, value.encode()) for name, value in headers.items()]
    return Row(id_, topic, partition, key.encode(), body, wire, headers.get(HEADER))
