"""Rights that reach single columns of another group's tables: those, and not one more."""

import pytest

from infra.roles import DECIDERS, schemas
from infra.settings import Settings
from tests.infra.ops.conftest import Connect
from tests.infra.ops.test_rights import SEEN_BY_OPS, SEEN_IN_PART, may

COLUMNS = [
    ("relay", "{decider}.decision", "offsets", True),
    ("relay", "{decider}.decision", "status", False),
    ("relay", "{decider}.decision", "events", False),
    ("relay", "{decider}.outbox", "body", False),
    ("ops", "{any}.dead_letter", "state", True),
    ("ops", "{any}.dead_letter", "note", True),
    ("ops", "{any}.dead_letter", "closed_at", False),
    ("ops", "{any}.dead_letter", "body", False),
    ("ops", "{any}.dead_letter", "record_offset", False),
    ("ops", "{any}.position", "next_offset", False),
]


@pytest.mark.parametrize(("role", "table", "column", "allowed"), COLUMNS)
async def test_only_the_declared_columns_may_be_set_across_schemas(
    migrated: Settings, connect: Connect, role: str, table: str, column: str, allowed: bool
) -> None:
    connection = await connect(migrated, role)

    for schema in DECIDERS if "{decider}" in table else schemas():
        name = table.format(decider=schema, any=schema)
        assert await may(connection, f"UPDATE {name} SET {column} = NULL WHERE false") is allowed, name


async def test_ops_reads_ids_versions_and_times_of_other_tables_and_no_column_more(
    migrated: Settings, connect: Connect
) -> None:
    superuser, ops = await connect(migrated, "postgres"), await connect(migrated, "ops")
    columns = await superuser.fetch(
        "SELECT table_schema || '.' || table_name AS table, column_name AS column"
        "  FROM information_schema.columns WHERE table_schema = ANY($1) AND NOT table_name = ANY($2)",
        [*schemas()],
        [*SEEN_BY_OPS],
    )

    seen = {(table, column) for table, column in columns if await may(ops, f"SELECT {column} FROM {table}")}

    assert seen == {(table, column) for table, names in SEEN_IN_PART.items() for column in names}
