"""Dangerous acts need a factor used in the last ten minutes, and deciders look for themselves."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from consumers.auth.store import sessions
from consumers.auth.store.sessions import Held
from infra.runtime import Db, Refusal
from schemas.envelope import Meta
from schemas.sessions import SessionSeen

FRESH: Final = timedelta(minutes=10)
NEEDED: Final = Refusal("step_up_needed")
SESSION: Final = """
    SELECT s.factor_at,
           s.assurance >= 2 OR NOT EXISTS (
               SELECT FROM factor f WHERE f.account_id = s.account_id AND f.confirmed_at IS NOT NULL
           ) AS proven
      FROM session s WHERE s.session_id = $1 AND s.ended_at IS NULL
"""


async def fresh(db: Db, session_id: UUID, at: datetime) -> Refusal | None:
    """Why this session may do nothing dangerous now, or None.

    Its last factor must be less than ten minutes old; where the account has second factors, one of them must
    have been used in this session.
    """
    row = await db.fetchrow(SESSION, session_id)
    if row is None or not row["proven"] or row["factor_at"] < at - FRESH:
        return NEEDED
    return None


async def proven_now(db: Db, held: Held, meta: Meta, assurance: int) -> SessionSeen:
    """A factor was used in this session: from now on it is fresh, and worth `assurance` at least."""
    assurance = max(held.session.assurance, assurance)
    return await sessions.change(
        db, held, SessionSeen, meta.id, factor_at=meta.at, seen_at=meta.at, assurance=assurance
    )


async def session_of(db: Db, session_id: UUID, account_id: UUID | None) -> Held | None:
    """The account's session, locked, unless it has ended."""
    held = await sessions.get(db, session_id)
    if held is None or held.session.account_id != account_id or held.session.ended_at is not None:
        return None
    return held
