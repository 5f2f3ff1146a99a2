"""Sessions: signing in, and what becomes of a session."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from schemas.identity_types import EMAIL_MAX, PasswordGiven
from schemas.message import State, Tombstone
from schemas.sealed import Contents, SealedCommand
from schemas.topics import AUTH_COMMANDS, AUTH_REFRESHES, SESSION_EVENTS
from schemas.types import CLEAN, LINE, When

EndReason = Literal[
    "signed_out", "ended_by_owner", "ended_by_staff", "replayed", "password_changed", "expired"
]


Device = Annotated[str, StringConstraints(max_length=60, strip_whitespace=True), CLEAN, LINE]
Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=EMAIL_MAX, strip_whitespace=True), CLEAN, LINE
]


class SignInContents(Contents):
    """Handle or e-mail address, and the password; `device` is what the session will be called."""

    identifier: Identifier
    password: PasswordGiven
    device: Device = ""
    address: str = ""


class SignIn(SealedCommand, topic=AUTH_COMMANDS):
    """Begin a session with a password. With a second factor the answer is a challenge."""

    subject = "sessions"
    key_fields = ("session_id",)
    contents = SignInContents

    session_id: UUID


class RefreshContents(Contents):
    """The refresh token; its session's id, which begins it, is no secret."""

    token: str
    address: str = ""


class RefreshTokens(SealedCommand, topic=AUTH_REFRESHES):
    """Exchange a refresh token for the next one and an access token."""

    subject = "sessions"
    key_fields = ("session_id",)
    contents = RefreshContents

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
