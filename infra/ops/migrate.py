"""Bring the database to this code's state: schemas, roles, tables, rights and views. As role `migrate`.

`python -m infra.ops.migrate [--dry-run]`; two at once are safe, and so is running it again.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import asyncpg
import typer

from infra.ops.migrations_audit import ensure_audit
from infra.ops.migrations_files import MigrationError, migrations_of
from infra.ops.migrations_roles import OWNER, close_database, ensure_role, grant_group
from infra.ops.migrations_runner import apply, make_schema, patiently, pending, unknown
from infra.ops.migrations_views import rebuild_views
from infra.roles import login_roles, schemas
from infra.settings import SecretMissingError, Settings
from infra.settings import settings as process_settings

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["MigrationError", "create_group_schema", "migrate", "rebuild_views"]

LOCK: Final = 0x7069636B6C79
"""Key of the advisory lock: one migration of a database at a time."""
APPLICATION: Final = "pickly-migrate"
LOCK_TIMEOUT: Final = "5s"
WAIT_FOR_ANOTHER: Final = "10min"
SERVER_STARTS_WITHIN: Final = 60


async def migrate(settings: Settings, *, dry_run: bool = False) -> list[str]:
    """Do it, or with `dry_run` only find out what there is to do; returns one line for each thing.

    Raises MigrationError when the database cannot follow, SecretMissingError without a role's password.
    """
    passwords = {role: settings.secret(f"pg_{role}") for role in login_roles() if role != OWNER}
    connection = await _connect(settings)
    try:
        await _be_alone(connection)
        done = []
        for role, password in passwords.items():
            done += await ensure_role(connection, role, password, dry_run=dry_run)
        if not dry_run:
            await close_database(connection)
        done += await _migrate_schemas(connection, dry_run=dry_run)
        return [*done, "passwords, rights and the views of mesh set"]
    finally:
        await connection.close()


async def _migrate_schemas(connection: "Connection", *, dry_run: bool) -> list[str]:
    """Every schema, then the views; also after a failure: a file before it may have needed them gone."""
    done = []
    try:
        for schema in schemas():
            done += await create_group_schema(connection, schema, schema, dry_run=dry_run)
    except MigrationError:
        if not dry_run:
            with suppress(asyncpg.PostgresError):  # where the schemas differ too much for that: the next run
                await rebuild_views(connection)
        raise
    if not dry_run:
        await patiently("views of mesh", partial(rebuild_views, connection))
        await patiently("mesh.audit", partial(ensure_audit, connection))
    return done


async def create_group_schema(
    connection: "Connection", schema: str, role: str, *, dry_run: bool = False
) -> list[str]:
    """Make `schema` what the group `role` needs, from nothing or from an older state; returns what was done.

    A rebuild calls it for `read_<name>_next` with the role `read_<name>`.
    """
    files = migrations_of(role)
    to_do = await pending(connection, schema, files)
    notes = [f"{schema}: {name} is of a newer release" for name in await unknown(connection, schema, files)]
    if not dry_run:
        await make_schema(connection, schema)
        for migration in to_do:
            await patiently(migration.name, partial(apply, connection, schema, migration))
        await patiently(f"rights on {schema}", partial(_grant, connection, schema, role))
    return notes + [f"{schema}: {migration.name}" for migration in to_do]


async def _grant(connection: "Connection", schema: str, role: str) -> None:
    async with connection.transaction():
        await grant_group(connection, schema, role)


async def _connect(settings: Settings) -> "Connection":
    """Wait for a server that is still starting."""
    options = {"application_name": APPLICATION, "lock_timeout": LOCK_TIMEOUT, "search_path": ""}
    deadline = asyncio.get_running_loop().time() + SERVER_STARTS_WITHIN
    while True:
        try:
            return await asyncpg.connect(settings.dsn(OWNER), timeout=10, server_settings=options)
        except (OSError, asyncpg.CannotConnectNowError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise MigrationError(f"PostgreSQL at {settings.database} does not answer: {error}") from error
            await asyncio.sleep(0.5)


async def _be_alone(connection: "Connection") -> None:
    """Take the lock that ends with the connection."""
    await connection.execute(f"SET lock_timeout = '{WAIT_FOR_ANOTHER}'")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    except asyncpg.LockNotAvailableError:
        raise MigrationError(
            f"another migration has run for {WAIT_FOR_ANOTHER}: see {APPLICATION} in pg_stat_activity"
        ) from None
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def main(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is to do; change nothing.")] = False,
) -> None:
    """Bring the database to this code's state."""
    try:
        done = asyncio.run(migrate(process_settings(), dry_run=dry_run))
    except (MigrationError, SecretMissingError, asyncpg.PostgresError) as error:
        typer.echo(f"migrate: {error}", err=True)
        raise typer.Exit(1) from None
    for line in done:
        typer.echo(f"would do: {line}" if dry_run else line)


if __name__ == "__main__":
    typer.run(main)
