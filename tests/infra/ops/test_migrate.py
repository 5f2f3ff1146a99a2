"""Migrations: complete, once, whole or not at all, and safe to run again, together, or only to try."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.ops.migrate import MigrationError, create_group_schema, migrate
from infra.ops.migrations_files import migrations_of
from infra.roles import DECIDERS, PROJECTIONS, login_roles, schemas
from infra.settings import SecretMissingError, Settings
from tests.infra.ops.conftest import Connect, tables_of

if TYPE_CHECKING:
    from asyncpg import Connection

ROOT = Path(__file__).parents[3]
DECIDER_TABLES = {"position", "dead_letter", "gone", "inbox", "decision", "outbox", "effect", "migration"}
PROJECTION_TABLES = {"position", "dead_letter", "gone", "migration"}
SNAPSHOT = """
    SELECT 'schema', nspname, nspacl::text, '' FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
    UNION ALL SELECT 'relation', relname, relacl::text, relnamespace::regnamespace::text
        FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT 'column', attname, attacl::text, attrelid::regclass::text
        FROM pg_attribute WHERE attacl IS NOT NULL
    UNION ALL SELECT 'database', datname, datacl::text, '' FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'setting', setrole::regrole::text, setconfig::text, ''
        FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
    UNION ALL SELECT 'role', rolname, rolconnlimit::text, '' FROM pg_roles
    ORDER BY 1, 2, 4, 3
"""


async def snapshot(connection: "Connection") -> list[tuple[str, ...]]:
    return [tuple(row) for row in await connection.fetch(SNAPSHOT)]


async def test_an_empty_database_gets_every_schema_with_its_tables(empty: Settings, connect: Connect) -> None:
    done = await migrate(empty)

    superuser = await connect(empty, "postgres")
    for schema in DECIDERS:
        assert await tables_of(superuser, schema) >= DECIDER_TABLES
    for schema in PROJECTIONS:
        assert await tables_of(superuser, schema) >= PROJECTION_TABLES
    assert {f"{schema}: {each.name}" for schema in schemas() for each in migrations_of(schema)} <= set(done)


async def test_everything_belongs_to_migrate(migrated: Settings, connect: Connect) -> None:
    superuser = await connect(migrated, "postgres")

    owners = await superuser.fetch(
        "SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class"
        " WHERE relnamespace::regnamespace::text = ANY($1)",
        [*schemas(), "mesh"],
    )

    assert [row["owner"] for row in owners] == ["migrate"]


async def test_a_second_run_has_nothing_to_do_and_changes_nothing(empty: Settings, connect: Connect) -> None:
    await migrate(empty)
    superuser = await connect(empty, "postgres")
    before = await snapshot(superuser)

    done = await migrate(empty)

    assert done == ["passwords, rights and the views of mesh set"]
    assert await snapshot(superuser) == before


async def test_a_dry_run_says_everything_and_changes_nothing(empty: Settings, connect: Connect) -> None:
    superuser = await connect(empty, "postgres")
    before = await snapshot(superuser)

    would = await migrate(empty, dry_run=True)

    assert await snapshot(superuser) == before
    assert [line for line in await migrate(empty) if ".sql" in line] == [
        line for line in would if ".sql" in line
    ]
    assert await snapshot(superuser) != before


async def test_a_changed_migration_is_refused_by_name(empty: Settings, connect: Connect) -> None:
    await migrate(empty)
    owner = await connect(empty, "migrate")
    await owner.execute("UPDATE social.migration SET checksum = 'x' WHERE name = 'social/0001_reactions.sql'")

    with pytest.raises(MigrationError, match=r"social: social/0001_reactions\.sql was changed"):
        await migrate(empty)
    with pytest.raises(MigrationError, match=r"social: social/0001_reactions\.sql was changed"):
        await migrate(empty, dry_run=True)


async def test_what_a_newer_release_did_is_told_and_left_alone(empty: Settings, connect: Connect) -> None:
    await migrate(empty)
    owner = await connect(empty, "migrate")
    await owner.execute("INSERT INTO social.migration VALUES ('social/0999_future.sql', 'x')")

    assert "social: social/0999_future.sql is of a newer release" in await migrate(empty)


async def test_two_processes_at_once_on_an_empty_database_both_succeed(
    empty: Settings, connect: Connect
) -> None:
    env = os.environ | {"PICKLY_DATABASE": empty.database, "PYTHONPATH": str(ROOT)}

    async def run() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "infra.ops.migrate",
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    runs = await asyncio.gather(run(), run(), run())

    assert [code for code, _ in runs] == [0, 0, 0], runs
    applied = [line for _, out in runs for line in out.splitlines() if line.endswith(".sql")]
    assert sorted(applied) == sorted(f"{s}: {each.name}" for s in schemas() for each in migrations_of(s))


async def test_without_a_secret_nothing_is_begun(empty: Settings, connect: Connect, tmp_path: Path) -> None:
    for role in login_roles():
        (tmp_path / f"pg_{role}").write_text(empty.secret(f"pg_{role}"))
    (tmp_path / "pg_read_things").unlink()

    with pytest.raises(SecretMissingError, match="pg_read_things"):
        await migrate(empty.model_copy(update={"secrets": tmp_path}))

    assert await tables_of(await connect(empty, "migrate"), "curation") == set()


async def test_a_shadow_schema_has_the_tables_and_rights_of_the_live_one(
    empty: Settings, connect: Connect
) -> None:
    await migrate(empty)
    owner = await connect(empty, "migrate")

    await create_group_schema(owner, "read_picks_next", "read_picks")

    assert await tables_of(owner, "read_picks_next") == await tables_of(owner, "read_picks")
    rights = """
        SELECT relname, relacl::text, (SELECT array_agg(attname || attacl::text ORDER BY attname)
            FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL)
        FROM pg_class c WHERE relnamespace::regnamespace::text = $1 ORDER BY relname
    """
    assert await owner.fetch(rights, "read_picks_next") == await owner.fetch(rights, "read_picks")
