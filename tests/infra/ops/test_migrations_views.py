"""The views of `mesh`: over every schema, without payload, and never on yesterday's tables."""

import pytest

from infra.ops.migrate import MigrationError, create_group_schema, migrate, rebuild_views
from infra.ops.migrations_files import Migration
from infra.ops.migrations_runner import apply
from infra.ops.migrations_views import DROP_VIEWS
from infra.roles import DECIDERS, schemas
from infra.settings import Settings
from tests.infra.ops.conftest import Connect


async def test_the_views_follow_a_swap_of_schemas_within_its_transaction(
    empty: Settings, connect: Connect
) -> None:
    await migrate(empty)
    owner, gateway = await connect(empty, "migrate"), await connect(empty, "gateway")
    await create_group_schema(owner, "read_picks_next", "read_picks")
    await owner.execute("INSERT INTO read_picks_next.position VALUES ('read_picks', 'pick.events', 3, 17)")
    read = "SELECT next_offset FROM mesh.positions WHERE group_name = 'read_picks'"
    assert await gateway.fetch(read) == []

    async with owner.transaction():
        await owner.execute("ALTER SCHEMA read_picks RENAME TO read_picks_old")
        await owner.execute("ALTER SCHEMA read_picks_next RENAME TO read_picks")
        await rebuild_views(owner)

    assert [row["next_offset"] for row in await gateway.fetch(read)] == [17]


async def test_the_views_show_every_schema_but_no_key_and_no_payload(
    empty: Settings, connect: Connect
) -> None:
    await migrate(empty)
    owner, gateway = await connect(empty, "migrate"), await connect(empty, "gateway")
    for schema in schemas():
        await owner.execute(f"INSERT INTO {schema}.position VALUES ('{schema}', 'a.b', 0, 1)")
        await owner.execute(
            f"INSERT INTO {schema}.dead_letter VALUES"
            f" ('{schema}', 'a.b', 0, 1, NULL, NULL, 'k', 1, 'r', 'e', 1, now(), '{{}}', 'secret')"
        )
    for schema in DECIDERS:
        await owner.execute(
            f"INSERT INTO {schema}.decision (command_id, type, status, resource, at)"
            " VALUES (uuidv7(), 'T', 'decided', 'picks/1', now())"
        )

    for view, expected in {"positions": schemas(), "dead": schemas(), "decisions": DECIDERS}.items():
        rows = await gateway.fetch(f"SELECT * FROM mesh.{view}")
        assert sorted(row["schema_name"] for row in rows) == sorted(expected)
    dead = await gateway.fetchrow("SELECT * FROM mesh.dead")
    assert dead is not None
    assert set(dead.keys()).isdisjoint({"key", "body", "headers", "error"})


@pytest.mark.parametrize(
    "change", ["DROP COLUMN sealed_answer", "ALTER COLUMN sealed_answer TYPE text USING ''"]
)
async def test_the_views_stand_in_the_way_of_no_migration(
    empty: Settings, connect: Connect, change: str
) -> None:
    await migrate(empty)
    owner, gateway = await connect(empty, "migrate"), await connect(empty, "gateway")

    for schema in DECIDERS:
        await apply(owner, schema, Migration("runtime/decider/0999_x.sql", f"ALTER TABLE decision {change}"))
    await migrate(empty)

    described = await gateway.prepare("SELECT * FROM mesh.decisions")
    columns = {column.name: column.type.name for column in described.get_attributes()}
    assert columns.get("sealed_answer") == (None if "DROP" in change else "text")


async def test_a_migration_that_fails_leaves_the_views_there(
    empty: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty)
    owner, gateway = await connect(empty, "migrate"), await connect(empty, "gateway")
    await owner.execute(DROP_VIEWS)  # as a file that needed them gone would have
    await owner.execute("UPDATE social.migration SET checksum = 'x'")

    with pytest.raises(MigrationError, match="was changed"):
        await migrate(empty)

    assert await gateway.fetch("SELECT * FROM mesh.decisions") == []


async def test_views_of_another_shape_are_replaced(empty: Settings, connect: Connect) -> None:
    await migrate(empty)
    owner, gateway = await connect(empty, "migrate"), await connect(empty, "gateway")
    await owner.execute(f"{DROP_VIEWS}; CREATE VIEW mesh.dead AS SELECT 1 AS of_an_older_release")

    await migrate(empty)

    assert await gateway.fetch("SELECT schema_name FROM mesh.dead") == []
