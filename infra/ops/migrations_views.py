"""The views of the schema `mesh`: what gateway and ops see of every group without a right on its schema."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from infra.roles import DECIDERS, schemas

if TYPE_CHECKING:
    from asyncpg import Connection

MESH: Final = "mesh"
VIEWS: Final = ("mesh.decisions", "mesh.positions", "mesh.dead")
OUTBOXES: Final = "mesh.outboxes"
"""How much waits for the relay, and since when; for ops alone, and without what waits."""
WAITING: Final = "count(*) AS depth, min(created_at) AS oldest"
DROP_VIEWS: Final = f"DROP VIEW IF EXISTS {', '.join((*VIEWS, OUTBOXES))}"
POSITIONS: Final = "group_name, topic, partition, next_offset, applied_at, skipped, stopped, updated_at"
DEAD: Final = (
    "group_name, topic, partition, record_offset, message_id, type, reason, state, parked"
    ", first_at, closed_at"
)


async def rebuild_views(connection: "Connection") -> None:
    """Make the views over all schemas again, in one transaction (a savepoint within the caller's).

    Do so whenever a schema was made, renamed or swapped: a view keeps the tables that it was made on.
    """
    queries = (
        _union("*", "decision", DECIDERS),
        _union(POSITIONS, "position", schemas()),
        _union(DEAD, "dead_letter", schemas()),
    )
    made = "; ".join(f"CREATE VIEW {name} AS {query}" for name, query in zip(VIEWS, queries, strict=True))
    async with connection.transaction():
        await connection.execute(
            f"""
            CREATE SCHEMA IF NOT EXISTS {MESH};
            {DROP_VIEWS};
            {made};
            CREATE VIEW {OUTBOXES} AS {_union(WAITING, "outbox", DECIDERS)};
            REVOKE ALL ON SCHEMA {MESH} FROM PUBLIC;
            GRANT USAGE ON SCHEMA {MESH} TO gateway, ops;
            GRANT SELECT ON {", ".join(VIEWS)} TO gateway, ops;
            GRANT SELECT ON {OUTBOXES} TO ops;
            """
        )


def _union(columns: str, table: str, over: Sequence[str]) -> str:
    selects = (f"SELECT '{schema}'::text AS schema_name, {columns} FROM {schema}.{table}" for schema in over)
    return "\nUNION ALL ".join(selects)
