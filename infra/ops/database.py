"""The tools' connection to PostgreSQL: as role `ops`, for reading."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from infra.settings import Settings

if TYPE_CHECKING:
    from asyncpg import Connection


class DatabaseError(RuntimeError):
    """PostgreSQL cannot be asked; the text says why."""


@asynccontextmanager
async def ops_connection(settings: Settings, *, role: str = "ops") -> AsyncIterator["Connection"]:
    """A connection that can only read and does not wait long. Raises DatabaseError."""
    limits = {"statement_timeout": "15s", "default_transaction_read_only": "on", "application_name": "ops"}
    try:
        db = await asyncpg.connect(settings.dsn(role), timeout=5, command_timeout=20, server_settings=limits)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseError(f"PostgreSQL does not answer: {error}") from error
    try:
        yield db
    except asyncpg.UndefinedTableError as error:
        raise DatabaseError(f"{error}; run ./pickly migrate") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseError(f"PostgreSQL: {error}") from error
    finally:
        await db.close()
