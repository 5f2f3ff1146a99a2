"""Sessions, and what is stored of their refresh tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from consumers.auth.rotation import Family
from infra.partitions import partition_of
from infra.runtime import Db
from schemas.sessions import SessionState
from schemas.topics import AUTH_COMMANDS

STATE: Final = (
    "session_id, account_id, device, place, assurance, started_at, seen_at, ended_at, end_reason, version"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A session as it stands, locked, with its family of refresh tokens."""

    session: SessionState
    family: Family
    factor_at: datetime
    changed_by: UUID


ADD: Final = """
    INSERT INTO session (session_id, account_id, device, place, assurance, started_at, seen_at, version,
                         factor_at, refresh_digest, refreshed_at, due_at, changed_by, partition)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def add(db: Db, session: SessionState, family: Family, changed_by: UUID) -> None:
    """Keep a session that begins now."""
    await db.execute(
        ADD,
        session.session_id,
        session.account_id,
        session.device,
        session.place,
        session.assurance,
        session.started_at,
        session.seen_at,
        session.version,
        session.started_at,
        family.current,
        family.rotated_at,
        family.expires_at,
        changed_by,
        partition_of(session.key, AUTH_COMMANDS),
    )


GET: Final = f"""
    SELECT {STATE}, factor_at, refresh_digest, refresh_parent, refreshed_at, due_at, changed_by
      FROM session WHERE session_id = $1 FOR UPDATE
"""


async def get(db: Db, session_id: UUID) -> Held | None:
    """The session, locked until the end of the transaction."""
    row = await db.fetchrow(GET, session_id)
    if row is None:
        return None
    fields = dict(row)
    factor_at, current, parent, rotated_at, expires_at, changed_by = (
        fields.pop(name)
        for name in ("factor_at", "refresh_digest", "refresh_parent", "refreshed_at", "due_at", "changed_by")
    )
    session = SessionState.model_validate(fields)
    family = Family(current, parent, rotated_at, expires_at, revoked=session.ended_at is not None)
    return Held(session, family, factor_at, changed_by)


async def of_account(db: Db, account_id: UUID) -> list[UUID]:
    """The sessions of an account that have not ended, in the order of their ids."""
    rows = await db.fetch(
        "SELECT session_id FROM session WHERE account_id = $1 AND ended_at IS NULL ORDER BY session_id",
        account_id,
    )
    return [row["session_id"] for row in rows]


SAVE: Final = """
    UPDATE session
       SET device = $2, place = $3, assurance = $4, seen_at = $5, ended_at = $6, end_reason = $7,
           version = $8, factor_at = $9, refresh_digest = $10, refresh_parent = $11, refreshed_at = $12,
           due_at = $13, changed_by = $14
     WHERE session_id = $1
"""


async def save(db: Db, held: Held) -> None:
    """Keep the new state of a session that is there."""
    session, family = held.session, held.family
    await db.execute(
        SAVE,
        session.session_id,
        session.device,
        session.place,
        session.assurance,
        session.seen_at,
        session.ended_at,
        session.end_reason,
        session.version,
        held.factor_at,
        family.current,
        family.parent,
        family.rotated_at,
        family.expires_at,
        held.changed_by,
    )
