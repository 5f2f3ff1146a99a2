"""Which entries of the security log there are, so that each is forgotten in time."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from infra.partitions import partition_of
from infra.runtime import Db
from schemas.topics import AUTH_COMMANDS


async def add(db: Db, account_id: UUID, event_id: UUID, due_at: datetime) -> None:
    """Keep that there is one."""
    await db.execute(
        "INSERT INTO security_entry (account_id, event_id, partition, due_at) VALUES ($1, $2, $3, $4)",
        *(account_id, event_id, partition_of(str(account_id), AUTH_COMMANDS), due_at),
    )


async def take_due(db: Db, partition: int, at: datetime) -> Sequence[tuple[UUID, UUID]]:
    """Remove what is old enough on this partition, at most 1,000; account and event of each."""
    rows = await db.fetch(
        "DELETE FROM security_entry WHERE (account_id, event_id) IN (SELECT account_id, event_id"
        " FROM security_entry WHERE partition = $1 AND due_at <= $2 LIMIT 1000)"
        " RETURNING account_id, event_id",
        *(partition, at),
    )
    return sorted((row["account_id"], row["event_id"]) for row in rows)
