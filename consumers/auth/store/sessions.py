"""Sessions, and what is stored of their refresh tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from consumers.auth.rotation import Family
from infra.partitions import partition_of
from infra.runtime import Db
from schemas.sessions import SessionState
from schemas.topics import AUTH_COMMANDS

if TYPE_CHECKING:
    from asyncpg import Record

S = TypeVar("S", bound=SessionState)
STATE: Final = (
    "session_id, account_id, device, place, assurance, started_at, seen_at, ended_at, end_reason, version"
)

ENDED_KEPT: Final = timedelta(days=30)
"""How long one that has ended is remembered."""
DUE_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Held:
    """A session as it stands, locked, with its family of refresh tokens."""

    session: SessionState
    family: Family
    factor_at: datetime
    changed_by: UUID

    @property
    def due_at(self) -> datetime:
        """When it ends because nobody uses it; once it has ended, when it is forgotten."""
        ended_at = self.session.ended_at
        return self.family.expires_at if ended_at is None else ended_at + ENDED_KEPT


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
        partition_of(session.key, AUTH_COMMANDS),  # on whose tick it falls due; its commands lie elsewhere
    )


ROW: Final = f"{STATE}, factor_at, refresh_digest, refresh_parent, refreshed_at, due_at, changed_by"
GET: Final = f"SELECT {ROW} FROM session WHERE session_id = $1 FOR UPDATE"


async def get(db: Db, session_id: UUID) -> Held | None:
    """The session, locked until the end of the transaction."""
    row = await db.fetchrow(GET, session_id)
    return None if row is None else _held(row)


def _held(row: "Record") -> Held:
    fields = dict(row)
    factor_at, current, parent, rotated_at, due_at, changed_by = (
        fields.pop(name)
        for name in ("factor_at", "refresh_digest", "refresh_parent", "refreshed_at", "due_at", "changed_by")
    )
    session = SessionState.model_validate(fields)
    family = Family(current, parent, rotated_at, due_at, revoked=session.ended_at is not None)
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
        held.due_at,
        held.changed_by,
    )


async def change(
    db: Db,
    held: Held,
    kind: type[S],
    changed_by: UUID,
    *,
    family: Family | None = None,
    factor_at: datetime | None = None,
    **fields: object,
) -> S:
    """Keep the session's next state, a `kind` that differs in `fields`, with another family where given."""
    before = held.session
    session = kind.model_validate(before.model_dump() | {"version": before.version + 1} | fields)
    family, factor_at = family or held.family, factor_at or held.factor_at
    await save(db, Held(session, family, factor_at, changed_by))
    return session


UNUSED: Final = f"""
    SELECT {ROW} FROM session
     WHERE partition = $1 AND due_at <= $2 AND ended_at IS NULL
     ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
"""


async def unused(db: Db, partition: int, at: datetime) -> list[Held]:
    """The sessions of this partition that nobody used for too long, locked; at most 1,000.

    One that somebody else holds is being changed: if it is still due then, the next minute finds it.
    """
    return [_held(row) for row in await db.fetch(UNUSED, partition, at, DUE_AT_ONCE)]


TAKE_ENDED: Final = """
    DELETE FROM session WHERE session_id IN (
        SELECT session_id FROM session
         WHERE partition = $1 AND due_at <= $2 AND ended_at IS NOT NULL
         ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING session_id, version
"""


async def take_ended(db: Db, partition: int, at: datetime) -> list[tuple[UUID, int]]:
    """Remove the sessions of this partition that ended long ago; (session_id, version) of each."""
    rows = await db.fetch(TAKE_ENDED, partition, at, DUE_AT_ONCE)
    return sorted((row["session_id"], row["version"]) for row in rows)
