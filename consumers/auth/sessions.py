"""Sessions of an account: their owner names and ends them, and age ends those that nobody does."""

from collections.abc import Sequence
from uuid import UUID

from consumers.auth.group import auth
from consumers.auth.store import sessions
from consumers.auth.store.sessions import Held
from infra.runtime import Db, Refusal, Unchanged
from schemas.envelope import Meta
from schemas.message import Message
from schemas.sessions import (
    EndOtherSessions,
    EndReason,
    EndSession,
    NameSession,
    SessionCommand,
    SessionEnded,
    SessionGone,
    SessionNamed,
)


@auth.on(EndSession)
async def end_session(wish: EndSession, meta: Meta, db: Db) -> SessionEnded | Refusal | Unchanged:
    """Its owner ends a session; what has ended already stays so."""
    held = await own(db, wish)
    if held is None:
        return Refusal("not_found")
    if held.session.ended_at is not None:
        return Unchanged(after=held.changed_by)
    return await end(db, held, wish.reason, meta)


@auth.on(EndOtherSessions)
async def end_other_sessions(wish: EndOtherSessions, meta: Meta, db: Db) -> Sequence[Message] | Unchanged:
    """Its owner ends every session but one."""
    return await end_all(db, wish.account_id, "ended_by_owner", meta, but=wish.session_id) or Unchanged()


@auth.on(NameSession)
async def name_session(wish: NameSession, meta: Meta, db: Db) -> SessionNamed | Refusal | Unchanged:
    """Its owner gives a session another name; one that has ended has none any more."""
    held = await own(db, wish)
    if held is None or held.session.ended_at is not None:
        return Refusal("not_found")
    if held.session.device == wish.device:
        return Unchanged(after=held.changed_by)
    return await sessions.change(db, held, SessionNamed, meta.id, device=wish.device)


async def over(db: Db, partition: int, meta: Meta) -> list[SessionEnded | SessionGone]:
    """Sessions that nobody used for 60 days end; 30 days after its end, one is forgotten."""
    gone = await sessions.take_ended(db, partition, meta.at)
    unused = await sessions.unused(db, partition, meta.at)
    ended = [await end(db, held, "expired", meta) for held in unused]
    return [*ended, *(SessionGone(session_id=id, version=version + 1) for id, version in gone)]


async def own(db: Db, wish: SessionCommand) -> Held | None:
    """The session, locked; None when there is none, or it is somebody else's."""
    held = await sessions.get(db, wish.session_id)
    return held if held is not None and held.session.account_id == wish.account_id else None


async def end(db: Db, held: Held, reason: EndReason, meta: Meta) -> SessionEnded:
    """End a session that has not ended. Its end is never before its last refresh.

    Gateways look for what ended in the time that a token lives, so a command that lay for long before it was
    decided must not date the end before tokens that were issued meanwhile.
    """
    ended_at = max(meta.at, held.session.seen_at)
    return await sessions.change(db, held, SessionEnded, meta.id, ended_at=ended_at, end_reason=reason)


async def end_all(
    db: Db, account_id: UUID, reason: EndReason, meta: Meta, *, but: UUID | None = None
) -> list[SessionEnded]:
    """End every session of an account, `but` one."""
    ended = []
    for session_id in await sessions.of_account(db, account_id):
        held = None if session_id == but else await sessions.get(db, session_id)
        if held is not None and held.session.ended_at is None:
            ended.append(await end(db, held, reason, meta))
    return ended
