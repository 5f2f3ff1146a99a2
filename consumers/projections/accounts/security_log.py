"""SQL of the security logs: ready JSON for the owner."""

from collections.abc import Sequence
from typing import Final

import orjson

from infra.runtime import Db
from schemas.security import SecurityForgotten, SecurityNoted

NOTE: Final = """
    INSERT INTO security_entry (account_id, event_id, at, version, body)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bytea[]) ORDER BY 1, 2
    ON CONFLICT (account_id, event_id) DO UPDATE
       SET at = excluded.at, version = excluded.version, body = excluded.body
     WHERE excluded.version > security_entry.version
"""
FORGET: Final = """
    DELETE FROM security_entry
     WHERE (account_id, event_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def note(db: Db, entries: Sequence[SecurityNoted]) -> None:
    """Write each entry."""
    await db.execute(
        NOTE,
        [entry.account_id for entry in entries],
        [entry.event_id for entry in entries],
        [entry.at for entry in entries],
        [entry.version for entry in entries],
        [_body(entry) for entry in entries],
    )


def _body(entry: SecurityNoted) -> bytes:
    return orjson.dumps(
        {
            "id": entry.event_id,
            "kind": entry.kind,
            "at": entry.at,
            "session": entry.session_id,
            "place": entry.place,
            "device": entry.device,
        },
        option=orjson.OPT_UTC_Z,
    )


async def forget(db: Db, entries: Sequence[SecurityForgotten]) -> None:
    """Remove entries."""
    await db.execute(FORGET, [entry.account_id for entry in entries], [entry.event_id for entry in entries])
