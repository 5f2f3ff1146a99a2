"""Where read models show an event's key: which rows there are, and at which version; never what they hold."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from infra.ops.examples import catalogue
from infra.ops.trace_database import rows_of
from infra.ops.trace_model import Row, Seen, Where
from infra.ops.trace_tables import Table, versioned_tables
from infra.roles import PROJECTIONS
from schemas.message import Message

if TYPE_CHECKING:
    from asyncpg import Connection


async def rows(db: "Connection", events: Iterable[Seen]) -> dict[tuple[str, Where], list[Row]]:
    """By read model and event, a row for each table whose primary key is the event's key."""
    kinds, seen = catalogue(), list(events)
    found: dict[tuple[str, Where], list[Row]] = {}
    for table in await versioned_tables(db, PROJECTIONS):
        keys = {each.where: key for each in seen if (key := _key(each, table, kinds))}
        versions = await rows_of(db, table, set(keys.values())) if keys else {}
        for where, key in keys.items():
            found.setdefault((table.schema, where), []).append(Row(table.name, versions.get(key)))
    return found


def _key(event: Seen, table: Table, kinds: Mapping[str, type[Message]]) -> tuple[str, ...] | None:
    """The event's key as this table's primary key; None when the table is not about such keys."""
    kind = kinds.get(event.type or "")
    if kind is None or table.schema not in kind.topic.readers or kind.key_fields != table.key:
        return None
    parts = tuple(event.key.split("/"))
    return parts if len(parts) == len(table.key) else None
