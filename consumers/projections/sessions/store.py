"""SQL of the read model of sessions."""

from collections.abc import Sequence
from typing import Final

import orjson

from infra.runtime import Db
from schemas.sessions import SessionGone, SessionState

SHOW: Final = """
    INSERT INTO session (session_id, account_id, seen_at, ended_at, version, body)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::bigint[],
                         $6::bytea[]) ORDER BY 1
    ON CONFLICT (session_id) DO UPDATE
       SET seen_at = excluded.seen_at, ended_at = excluded.ended_at, version = excluded.version,
           body = excluded.body
     WHERE excluded.version > session.version
"""


async def show(db: Db, sessions: Sequence[SessionState]) -> None:
    """Write each session's newest state."""
    await db.execute(
        SHOW,
        [session.session_id for session in sessions],
        [session.account_id for session in sessions],
        [session.seen_at for session in sessions],
        [session.ended_at for session in sessions],
        [session.version for session in sessions],
        [_body(session) for session in sessions],
    )


def _body(session: SessionState) -> bytes:
    return orjson.dumps(
        {
            "id": session.session_id,
            "device": session.device,
            "place": session.place,
            "assurance": session.assurance,
            "started_at": session.started_at,
            "seen_at": session.seen_at,
        },
        option=orjson.OPT_UTC_Z,
    )


async def drop(db: Db, sessions: Sequence[SessionGone]) -> None:
    """Forget sessions that are gone."""
    await db.execute(
        "DELETE FROM session WHERE session_id = ANY($1)", [session.session_id for session in sessions]
    )
