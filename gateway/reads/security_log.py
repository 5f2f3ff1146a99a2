"""The security log of an account: `read_accounts` holds ready JSON, newest first."""

from typing import Final
from uuid import UUID

from gateway.reads.cursors import Cursor, cut
from gateway.reads.database import Database
from gateway.reads.represent import Representation, listing

SHOWN: Final = ("read_accounts",)
NAME: Final = b"e"
"""The byte that marks its cursors."""
COLUMNS: Final = "SELECT event_id, at, body FROM read_accounts.security_entry WHERE account_id = $1"
ORDER: Final = "ORDER BY at DESC, event_id DESC LIMIT $2"
FIRST: Final = f"{COLUMNS} {ORDER}"
FOLLOWING: Final = f"{COLUMNS} AND (at, event_id) < ($3, $4) {ORDER}"


async def page(database: Database, account_id: UUID, limit: int, cursor: str | None) -> Representation:
    """At most `limit` entries. Raises ProblemError (422): bad cursor."""
    start = Cursor.decode(cursor, NAME) if cursor is not None else None
    async with database.session() as session:
        if start is None:
            found = await session.fetch(FIRST, account_id, limit + 1)
        else:
            found = await session.fetch(FOLLOWING, account_id, limit + 1, start.at, start.id)
    rows, following = cut(found, limit, NAME, at="at", id="event_id")
    return listing([row["body"] for row in rows], following)
