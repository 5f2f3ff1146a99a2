"""Login roles: their passwords come from secrets, and they may log in and no more."""

from pathlib import Path

import asyncpg
import pytest

from infra.ops.migrate import MigrationError
from infra.ops.migrations_roles import ensure_role, scram_verifier
from infra.roles import login_roles, schemas
from infra.settings import Settings
from tests.infra.ops.conftest import Connect


@pytest.mark.parametrize("role", login_roles())
async def test_each_role_logs_in_with_its_secret_and_lands_in_its_schema(
    migrated: Settings, connect: Connect, role: str
) -> None:
    connection = await connect(migrated, role)

    schema = await connection.fetchval("SELECT current_schema()")

    assert schema == (role if role in schemas() else None if role != "migrate" else "public")


async def test_a_new_secret_replaces_the_password_and_the_limit_is_set(
    migrated: Settings, connect: Connect, tmp_path: Path
) -> None:
    owner, superuser = await connect(migrated, "migrate"), await connect(migrated, "postgres")
    database = await owner.fetchval("SELECT current_database()")
    own = migrated.model_copy(update={"secrets": tmp_path})
    await ensure_role(owner, "ops_temporary", "first", dry_run=False)
    try:
        assert await ensure_role(owner, "ops_temporary", "second", dry_run=False) == []

        await owner.execute(f"GRANT CONNECT ON DATABASE {database} TO ops_temporary")
        (tmp_path / "pg_ops_temporary").write_text("second")
        await connect(own, "ops_temporary")
        (tmp_path / "pg_ops_temporary").write_text("first")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(own, "ops_temporary")
        limit = await owner.fetchval("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'ops_temporary'")
        assert limit > 0
    finally:
        await superuser.execute("DROP OWNED BY ops_temporary; DROP ROLE ops_temporary")


@pytest.mark.parametrize("password", ["", "naïve", "tab\t"])
def test_a_password_that_would_need_normalising_is_refused(password: str) -> None:
    with pytest.raises(MigrationError, match="pg_curation"):
        scram_verifier("curation", password)


async def test_a_role_that_may_more_than_log_in_is_refused(migrated: Settings, connect: Connect) -> None:
    superuser, owner = await connect(migrated, "postgres"), await connect(migrated, "migrate")
    await superuser.execute("CREATE ROLE ops_powerful LOGIN BYPASSRLS")
    try:
        with pytest.raises(MigrationError, match=r"ops_powerful .*rolbypassrls"):
            await ensure_role(owner, "ops_powerful", "x", dry_run=False)
    finally:
        await superuser.execute("DROP ROLE ops_powerful")
