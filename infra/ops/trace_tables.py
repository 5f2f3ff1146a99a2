"""Tables of read models that keep a version for each key: what `trace` looks up and `ops` may see in part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncpg import Connection

VERSION: Final = "version"
FIND: Final = """
SELECT n.nspname AS schema, c.relname AS name,
       array_agg(quote_ident(a.attname) ORDER BY array_position(i.indkey::int2[], a.attnum)) AS key,
       array_agg(format_type(a.atttypid, NULL) ORDER BY array_position(i.indkey::int2[], a.attnum)) AS types
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
 WHERE n.nspname = ANY($1) AND c.relkind = 'r'
   AND EXISTS (SELECT FROM pg_attribute v WHERE v.attrelid = c.oid AND v.attname = $2 AND NOT v.attisdropped)
 GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a row for each key: the columns of its primary key, in order, and their SQL types."""

    schema: str
    name: str
    key: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def columns(self) -> str:
        """What tells that a row is there and how new it is, and nothing of what it shows."""
        return ", ".join((*self.key, VERSION))


async def versioned_tables(db: "Connection", schemas: Sequence[str]) -> list[Table]:
    """Those of these schemas, found in the catalogue: a new read model is traced without a word here."""
    rows = await db.fetch(FIND, list(schemas), VERSION)
    return [Table(row["schema"], row["name"], tuple(row["key"]), tuple(row["types"])) for row in rows]
