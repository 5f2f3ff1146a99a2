"""An account's sessions that have not ended, newest seen first."""

from typing import TYPE_CHECKING, Final
from uuid import UUID

from gateway.reads.cursors import Cursor, cut
from gateway.reads.database import Database
from gateway.reads.represent import Representation, listing, subject

if TYPE_CHECKING:
    from asyncpg import Record

SHOWN: Final = ("read_sessions",)
BY_SEEN: Final = b"s"
PAGE: Final = """
SELECT session_id, seen_at, body FROM read_sessions.session
 WHERE account_id = $1 AND ended_at IS NULL AND ($2::timestamptz IS NULL OR (seen_at, session_id) < ($2, $3))
 ORDER BY seen_at DESC, session_id DESC LIMIT $4
"""
ONE: Final = """
SELECT session_id, version, body FROM read_sessions.session
 WHERE session_id = $1 AND account_id = $2 AND ended_at IS NULL
"""


async def page(
    database: Database, owner: UUID, current: str | None, limit: int, cursor: str | None
) -> Representation:
    """At most `limit` of them; `current` is the session that asks. Raises ProblemError (422): bad cursor."""
    start = None if cursor is None else Cursor.decode(cursor, BY_SEEN)
    position = (None, None) if start is None else (start.at, start.id)
    found = await database.fetch(PAGE, owner, *position, limit + 1)
    rows, following = cut(found, limit, BY_SEEN, at="seen_at", id="session_id")
    return listing([present(row, current) for row in rows], following)


async def one(
    database: Database, session_id: UUID, owner: UUID | None, current: str | None = None
) -> Representation | None:
    """One of them; None when there is none that is the owner's."""
    row = await database.fetchrow(ONE, session_id, owner)
    return None if row is None else subject(present(row, current), row["version"])


def present(row: "Record", current: str | None) -> bytes:
    """The session's members, and whether it is the one that asks, where that is known."""
    body: bytes = row["body"]
    if current is None:
        return body
    return body[:-1] + (b',"current":true}' if str(row["session_id"]) == current else b',"current":false}')
