"""Compares the tables of two schemas within one snapshot: by checksum, and where that differs row by row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.ops import dead_mask
from infra.ops.migrations_runner import HISTORY

if TYPE_CHECKING:
    from asyncpg import Connection

RUNTIME: Final = ("position", "dead_letter", "gone", HISTORY)
"""The runtime's own tables: they say how a read model came about, not what it shows."""
KEYS: Final = 5
TABLES: Final = """
SELECT quote_ident(c.relname) AS name,
       array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns,
       array_agg(quote_ident(a.attname) ORDER BY array_position(i.indkey::int2[], a.attnum))
           FILTER (WHERE a.attnum = ANY(i.indkey)) AS key
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname <> ALL($2)
 GROUP BY c.relname ORDER BY c.relname
"""
CHECKSUM: Final = """
SELECT count(*) AS rows, coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0) AS checksum
  FROM {schema}.{table}
"""
DIFFERENT: Final = """
FROM {live}.{table} l FULL JOIN {shadow}.{table} n USING ({key})
 WHERE ROW({left})::text IS DISTINCT FROM ROW({right})::text
"""
KIND: Final = (
    "CASE WHEN n.{first} IS NULL THEN 'extra' WHEN l.{first} IS NULL THEN 'missing' ELSE 'changed' END"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with its columns and those of its primary key."""

    name: str
    columns: Sequence[str]
    key: Sequence[str]


@dataclass(frozen=True, slots=True)
class Example:
    """A row that differs: how, its key with everything personal hidden, and the columns that differ."""

    kind: str
    key: dict[str, str]
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Compared:
    """A table in both schemas.

    `missing` rows are in the new one only, `extra` ones in the live one only, `changed` ones in both.
    """

    name: str
    live_rows: int
    next_rows: int
    missing: int = 0
    extra: int = 0
    changed: int = 0
    examples: Sequence[Example] = field(default_factory=tuple)

    @property
    def differing(self) -> int:
        """How many rows are not the same in both."""
        return self.missing + self.extra + self.changed


async def compare(db: "Connection", live: str, shadow: str) -> list[Compared]:
    """Every table of the read model, in `db`'s transaction. Raises ValueError for one without primary key."""
    return [await _compare(db, live, shadow, table) for table in await tables_of(db, shadow)]


async def tables_of(db: "Connection", schema: str) -> list[Table]:
    """The tables that the read model consists of, names quoted."""
    rows = await db.fetch(TABLES, schema, RUNTIME)
    if without := [row["name"] for row in rows if not row["key"]]:
        raise ValueError(f"{schema}.{without[0]} has no primary key, by which its rows could be compared")
    return [Table(row["name"], row["columns"], row["key"]) for row in rows]


async def _compare(db: "Connection", live: str, shadow: str, table: Table) -> Compared:
    sums = []
    for schema in (live, shadow):
        query = CHECKSUM.format(schema=schema, table=table.name, columns=", ".join(table.columns))
        row = await db.fetchrow(query)
        assert row is not None
        sums.append(row)
    if sums[0] == sums[1]:
        return Compared(table.name, sums[0]["rows"], sums[1]["rows"])
    return await _differences(db, live, shadow, table, sums[0]["rows"], sums[1]["rows"])


async def _differences(
    db: "Connection", live: str, shadow: str, table: Table, live_rows: int, next_rows: int
) -> Compared:
    left, right = ([f"{side}.{name}" for name in table.columns] for side in ("l", "n"))
    key, kind = ", ".join(table.key), KIND.format(first=table.key[0])
    different = DIFFERENT.format(
        live=live, shadow=shadow, table=table.name, key=key, left=", ".join(left), right=", ".join(right)
    )
    counted = await db.fetch(f"SELECT {kind} AS kind__, count(*) {different} GROUP BY 1")
    counts = {row["kind__"]: row["count"] for row in counted}
    changes = ", ".join(
        f"CASE WHEN {a}::text IS DISTINCT FROM {b}::text THEN '{name}' END"
        for a, b, name in zip(left, right, table.columns, strict=True)
    )
    rows = await db.fetch(
        f"SELECT {key}, {kind} AS kind__, array_remove(ARRAY[{changes}], NULL) AS columns__"
        f" {different} ORDER BY {key} LIMIT {KEYS}"
    )
    examples = [
        Example(
            row["kind__"],
            {name: dead_mask.path(str(row[name.strip('"')])) for name in table.key},
            row["columns__"] if row["kind__"] == "changed" else (),
        )
        for row in rows
    ]
    found = {kind: counts.get(kind, 0) for kind in ("missing", "extra", "changed")}
    return Compared(table.name, live_rows, next_rows, **found, examples=examples)
