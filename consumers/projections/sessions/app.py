"""Sessions as their owner sees them, and which ended, so that every gateway refuses their tokens."""

from consumers.projections.sessions import store
from infra.runtime import Batch, Db, Projection
from schemas.sessions import (
    SessionEnded,
    SessionGone,
    SessionNamed,
    SessionSeen,
    SessionStarted,
    SessionState,
)
from schemas.topics import SESSION_EVENTS

sessions = Projection("sessions", SESSION_EVENTS)


@sessions.on(SessionStarted, SessionSeen, SessionNamed, SessionEnded)
async def show(batch: Batch[SessionState], db: Db) -> None:
    """The newest state of each session."""
    await store.show(db, [item.message for item in batch])


@sessions.on(SessionGone)
async def drop(batch: Batch[SessionGone], db: Db) -> None:
    """What ended long ago is on no list."""
    await store.drop(db, [item.message for item in batch])
