"""Runs migration files: each once, whole or not at all, and never a changed one twice."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from asyncpg import (
    DeadlockDetectedError,
    DependentObjectsStillExistError,
    FeatureNotSupportedError,
    LockNotAvailableError,
    PostgresError,
)

from infra.ops.migrations_files import Migration, MigrationError
from infra.ops.migrations_views import DROP_VIEWS

if TYPE_CHECKING:
    from asyncpg import Connection

HISTORY: Final = "migration"
TRIES: Final = 5
PAUSE: Final = 1.0


async def pending(connection: "Connection", schema: str, files: Sequence[Migration]) -> list[Migration]:
    """Those of `files` that `schema` has not seen. Raises MigrationError when history and files disagree."""
    applied = await _history(connection, schema)
    for each in files:
        if applied.get(each.name, each.checksum) != each.checksum:
            raise MigrationError(
                f"{schema}: {each.name} was changed after it had been applied; "
                "put its text back and write the change as a new file"
            )
    missing = [each for each in files if each.name not in applied]
    for each in missing:
        later = [n for n in applied if n.rpartition("/")[0] == each.folder and n > each.name]
        if later:
            raise MigrationError(
                f"{schema}: {each.name} is new, but {max(later)} has been applied already; "
                "give it a higher number, so that every database runs them in one order"
            )
    return missing


async def unknown(connection: "Connection", schema: str, files: Sequence[Migration]) -> list[str]:
    """Names in the history of `schema` that this code has no file for: a newer release was here."""
    known = {each.name for each in files}
    return sorted(name for name in await _history(connection, schema) if name not in known)


async def _history(connection: "Connection", schema: str) -> dict[str, str]:
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.{HISTORY}") is None:
        return {}
    rows = await connection.fetch(f"SELECT name, checksum FROM {schema}.{HISTORY}")
    return {row["name"]: row["checksum"] for row in rows}


async def make_schema(connection: "Connection", schema: str) -> None:
    """The schema and its history, where they are missing."""
    async with connection.transaction():
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {schema}.{HISTORY} (name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )


async def apply(connection: "Connection", schema: str, migration: Migration) -> None:
    """Run one file in `schema` and write it down, in one transaction. Raises MigrationError."""
    try:
        try:
            await _run(connection, schema, migration)
        except (DependentObjectsStillExistError, FeatureNotSupportedError):
            # A view of mesh shows what the file takes away or retypes; `rebuild_views` ends every migration.
            await _run(connection, schema, migration, first=DROP_VIEWS)
    except (LockNotAvailableError, DeadlockDetectedError):
        raise
    except PostgresError as error:
        line = migration.sql.count("\n", 0, int(getattr(error, "position", None) or 1) - 1) + 1
        raise MigrationError(f"{schema}: {migration.name}:{line}: {error}; nothing of it was kept") from error


async def _run(connection: "Connection", schema: str, migration: Migration, first: str = "") -> None:
    async with connection.transaction():
        await connection.execute(f"{first}; SET LOCAL search_path = {schema}")
        await connection.execute(migration.sql)
        await connection.execute(
            f"INSERT INTO {schema}.{HISTORY} (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )


async def patiently(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, again a few times while others hold its locks: they must not queue behind a migration."""
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(PAUSE)
        try:
            return await work()
        except (LockNotAvailableError, DeadlockDetectedError):
            continue
    raise MigrationError(f"{what}: tables are in use and were not free within {TRIES} tries; try again later")
