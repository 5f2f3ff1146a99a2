"""Sessions: signing in, and what becomes of a session."""

from typing import Literal
from uuid import UUID

from schemas.message import State, Tombstone
from schemas.sealed import Contents, SealedCommand
from schemas.topics import AUTH_COMMANDS, SESSION_EVENTS
from schemas.types import When

EndReason = Literal["signed_out", "ended_by_owner", "ended_by_staff", "replayed", "password_changed", "expired"]


class SignInContents(Contents):
    """Handle or e-mail address, and the password; `device` is what the session will be called."""

    identifier: str
    password: str
    device: str = ""
    address: str = ""


class SignIn(SealedCommand, topic=AUTH_COMMANDS):
    """Begin a session with a password. With a second factor the answer is a challenge."""

    subject = "sessions"
    key_fields = ("session_id",)
    contents = SignInContents

    session_id: UUID


class SessionState(State):
    """A session after a fact. `assurance` is 1 with one factor, 2 with two; `device` is its owner's name."""

    subject = "sessions"
    key_fields = ("session_id",)

    session_id: UUID
    account_id: UUID
    device: str = ""
    place: str = ""
    assurance: int = 1
    started_at: When
    seen_at: When
    ended_at: When | None = None
    end_reason: EndReason | None = None


class SessionStarted(SessionState, topic=SESSION_EVENTS):
    """Somebody has signed in."""


class SessionSeen(SessionState, topic=SESSION_EVENTS):
    """Its tokens were renewed."""


class SessionNamed(SessionState, topic=SESSION_EVENTS):
    """Its owner gave it another name."""


class SessionEnded(SessionState, topic=SESSION_EVENTS):
    """Its tokens are worth nothing any more."""


class SessionGone(Tombstone, topic=SESSION_EVENTS):
    """It ended long ago and is forgotten."""

    subject = "sessions"
    key_fields = ("session_id",)

    session_id: UUID
