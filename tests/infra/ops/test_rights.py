"""Who may do what in the database, tried out: every role tries everything, and the database refuses."""

from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg
import pytest

from infra.ops.migrate import migrate
from infra.roles import DECIDERS, PROJECTIONS, login_roles, schemas
from infra.settings import Settings
from tests.infra.ops.conftest import Connect

if TYPE_CHECKING:
    from asyncpg import Connection

ROLES = tuple(role for role in login_roles() if role != "migrate")
ACTS = {
    "SELECT": "SELECT FROM {table} LIMIT 0",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = {column} WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table}",
    "LOCK": "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
}
OWN_ROWS = {"SELECT", "INSERT", "UPDATE", "DELETE", "LOCK"}
"""LOCK comes with the right to change rows; no statement beside these."""


UNWRITABLE = (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.WrongObjectTypeError)
"""What PostgreSQL says to writing into a view over several tables, before it asks for rights."""


SEEN_BY_OPS = ("position", "dead_letter", "decision")
SEEN_IN_PART = {
    "read_accounts.account": {"account_id", "version"},
    "read_accounts.security_entry": {"account_id", "event_id", "version"},
    "read_factors.factors": {"account_id", "version"},
    "read_keys.key": {"key_id", "version"},
    "read_picks.author": {"account_id", "version"},
    "read_picks.pick": {"pick_id", "version"},
    "read_picks.reaction": {"pick_id", "account_id", "kind", "version"},
    "read_sessions.session": {"session_id", "version"},
    "read_things.thing": {"thing_id", "version"},
    "read_things.pick_edge": {"pick_id", "version"},
}
SEEN_IN_PART |= {f"{decider}.inbox": {"group_name", "message_id", "touched_at"} for decider in DECIDERS}
SEEN_IN_PART |= {
    f"{decider}.effect": {"group_name", "kind", "cause", "attempts", "due_at", "leased_until", "dead_at"}
    for decider in DECIDERS
}
"""What ops needs for `lag` and `trace`, column by column: ids, versions and times, no content."""


def rights(role: str, schema: str, table: str) -> set[str]:
    """What `role` may do to a table, written down here a second time and by other means."""
    if role == schema:
        return set() if table == "migration" else OWN_ROWS
    if table == "audit":
        return {"SELECT", "INSERT"} if role == "ops" else set()
    if role == "gateway":
        shown = (schema == "mesh" and table != "outboxes") or (
            schema in PROJECTIONS and table not in ("dead_letter", "migration")
        )
        return {"SELECT"} if shown else set()
    if role == "ops":
        seen = schema == "mesh" or table in SEEN_BY_OPS or f"{schema}.{table}" in SEEN_IN_PART
        return {"SELECT"} if seen else set()
    if role == "relay" and table == "outbox":
        return {"SELECT", "DELETE", "LOCK"}
    return {"SELECT"} if role == "relay" and table == "decision" else set()


async def may(connection: "Connection", sql: str) -> bool:
    """Whether the database lets it through to the rows; nothing of it stays."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        await connection.execute(sql)
    except (asyncpg.InsufficientPrivilegeError, *UNWRITABLE):
        return False
    except asyncpg.IntegrityConstraintViolationError:
        return True  # it got as far as the rows
    finally:
        await attempt.rollback()
    return True


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_to_each_table_what_is_declared_and_nothing_else(
    migrated: Settings, connect: Connect, role: str
) -> None:
    superuser, connection = await connect(migrated, "postgres"), await connect(migrated, role)
    tables = await superuser.fetch(
        "SELECT table_schema, table_name, min(column_name) AS column FROM information_schema.columns"
        " WHERE table_schema = ANY($1) GROUP BY 1, 2",
        [*schemas(), "mesh"],
    )
    wrong = []

    for schema, table, column in tables:
        for act, sql in ACTS.items():
            allowed = await may(connection, sql.format(table=f"{schema}.{table}", column=column))
            if allowed != (act in rights(role, schema, table)):
                wrong.append(f"{role} {'may' if allowed else 'may not'} {act} {schema}.{table}")

    assert len(tables) > 30
    assert wrong == []


FORBIDDEN = [
    "CREATE TABLE {own}.a ()",
    "CREATE TABLE public.a ()",
    "CREATE TEMPORARY TABLE a ()",
    "CREATE SCHEMA a",
    "CREATE VIEW {own}.a AS SELECT 1",
    "CREATE FUNCTION {own}.a() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE {own}.a AS (b int)",
    "ALTER TABLE {table} ADD COLUMN a int",
    "ALTER TABLE {table} OWNER TO {role}",
    "CREATE INDEX ON {table} (topic)",
    "CREATE TRIGGER a BEFORE DELETE ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "ALTER SCHEMA {own} RENAME TO a",
    "DROP TABLE {table}",
    "DROP SCHEMA {own} CASCADE",
    "DROP VIEW mesh.dead",
    "CREATE ROLE a",
    "ALTER ROLE {other} PASSWORD 'x'",
    "ALTER ROLE {other} SET search_path = public",
    "ALTER ROLE {role} CONNECTION LIMIT -1",
    "GRANT {other} TO {role}",
    "SET ROLE {other}",
    "SET ROLE migrate",
    "SET SESSION AUTHORIZATION migrate",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "CREATE EXTENSION file_fdw SCHEMA {own}",
    "COPY {table} TO PROGRAM 'true'",
    "COPY {table} TO '/a'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_advisory_unlock_all(), * FROM pg_authid",
    "CREATE DATABASE a",
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("sql", FORBIDDEN)
async def test_no_role_may_make_change_or_become_anything(
    migrated: Settings, connect: Connect, role: str, sql: str
) -> None:
    own = role if role in schemas() else schemas()[0]
    other = next(name for name in ROLES if name != role)
    connection = await connect(migrated, role)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(sql.format(own=own, other=other, role=role, table=f"{own}.position"))


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_may_pass_its_rights_on(migrated: Settings, connect: Connect, role: str) -> None:
    own = role if role in schemas() else schemas()[0]
    other = next(name for name in schemas() if name not in (role, own))
    connection, superuser = await connect(migrated, role), await connect(migrated, "postgres")
    with suppress(asyncpg.InsufficientPrivilegeError):  # who has some right gets a warning only
        await connection.execute(f"GRANT ALL ON {own}.position TO {other}, PUBLIC")

    granted = "SELECT has_table_privilege($1, $2, 'SELECT, INSERT, UPDATE, DELETE')"
    assert await superuser.fetchval(granted, other, f"{own}.position") is False


async def test_a_role_that_is_not_declared_cannot_even_connect(migrated: Settings, connect: Connect) -> None:
    superuser = await connect(migrated, "postgres")
    await superuser.execute("CREATE ROLE ops_stranger LOGIN PASSWORD 'x'")
    address = migrated.dsn("ops").replace(f"ops:{migrated.secret('pg_ops')}@", "ops_stranger:x@")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
            await asyncpg.connect(address)
    finally:
        await superuser.execute("DROP ROLE ops_stranger")


async def test_rights_that_somebody_gave_by_hand_are_taken_back(empty: Settings, connect: Connect) -> None:
    await migrate(empty)
    owner, social = await connect(empty, "migrate"), await connect(empty, "social")
    await owner.execute(
        "GRANT USAGE ON SCHEMA curation TO social; GRANT UPDATE (note) ON curation.pick TO social"
    )
    await owner.execute("GRANT SELECT ON curation.pick TO PUBLIC; GRANT ALL ON SCHEMA public TO PUBLIC")
    assert await may(social, "SELECT FROM curation.pick")

    await migrate(empty)

    assert not await may(social, "SELECT FROM curation.pick")
    assert not await may(social, "UPDATE curation.pick SET note = '' WHERE false")
    assert not await may(social, "CREATE TABLE public.a ()")


async def test_a_decider_numbers_its_outbox_and_the_relay_empties_it(
    empty: Settings, connect: Connect
) -> None:
    await migrate(empty)
    curation, relay = await connect(empty, "curation"), await connect(empty, "relay")
    await curation.execute(
        "INSERT INTO decision (command_id, type, status, resource, events, at)"
        " VALUES ('00000000-0000-0000-0000-000000000001', 'T', 'decided', 'picks/1', 1, now());"
        "INSERT INTO outbox (cause, event_id, topic, partition, key, headers)"
        " VALUES ('00000000-0000-0000-0000-000000000001', uuidv7(), 'pick.events', 1, 'k', '{}')"
    )

    await relay.execute(
        "WITH sent AS (DELETE FROM curation.outbox RETURNING cause)"
        " UPDATE curation.decision SET offsets = '{\"a\": 1}' FROM sent WHERE command_id = sent.cause"
    )

    assert await curation.fetchval("SELECT offsets FROM decision") == '{"a": 1}'
    assert await curation.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_group_may_draw_from_a_sequence_of_its_own_schema(empty: Settings, connect: Connect) -> None:
    await migrate(empty)
    owner, social = await connect(empty, "migrate"), await connect(empty, "social")
    await owner.execute("CREATE SEQUENCE social.number; CREATE SEQUENCE curation.number")

    await migrate(empty)

    assert await social.fetchval("SELECT nextval('number')") == 1
    assert not await may(social, "SELECT nextval('curation.number')")
    assert not await may(social, "SELECT setval('number', 7)")
