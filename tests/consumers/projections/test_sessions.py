"""The read model of sessions: the newest state of each, and when it ended."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from consumers.projections.sessions.app import drop, show
from infra.runtime import Db
from schemas.sessions import SessionEnded, SessionGone, SessionSeen, SessionStarted, SessionState
from tests.given import ANA, NOON, batch


def a_state(kind: type[SessionState], session_id: UUID, **fields: Any) -> SessionState:
    """A state of a session that began at noon."""
    known = {"session_id": session_id, "account_id": ANA, "started_at": NOON, "seen_at": NOON, "version": 1}
    return kind.model_validate(known | fields)


async def test_a_session_is_kept_as_ready_json(sessions_db: Db) -> None:
    session = uuid4()

    await show(batch(a_state(SessionStarted, session, device="phone", place="192.0.2.0/24")), sessions_db)

    row = await sessions_db.fetchrow("SELECT * FROM session")
    assert row is not None
    assert (row["account_id"], row["ended_at"], row["version"]) == (ANA, None, 1)
    assert orjson.loads(row["body"]) == {
        "id": str(session),
        "device": "phone",
        "place": "192.0.2.0/24",
        "assurance": 1,
        "started_at": "2026-06-01T12:00:00Z",
        "seen_at": "2026-06-01T12:00:00Z",
    }


async def test_repeats_and_older_states_change_nothing(sessions_db: Db) -> None:
    session, later = uuid4(), NOON + timedelta(minutes=1)
    ended = a_state(SessionEnded, session, ended_at=later, end_reason="signed_out", version=3)
    await show(batch(ended), sessions_db)

    await show(batch(a_state(SessionSeen, session, seen_at=later, version=2)), sessions_db)
    await show(batch(ended), sessions_db)

    row = await sessions_db.fetchrow("SELECT ended_at, seen_at, version FROM session")
    assert row is not None
    assert tuple(row) == (later, NOON, 3)


async def test_what_is_gone_is_on_no_list(sessions_db: Db) -> None:
    gone, stays = uuid4(), uuid4()
    await show(batch(a_state(SessionStarted, gone), a_state(SessionStarted, stays)), sessions_db)

    await drop(batch(SessionGone(session_id=gone, version=4)), sessions_db)

    assert [row["session_id"] for row in await sessions_db.fetch("SELECT session_id FROM session")] == [stays]
