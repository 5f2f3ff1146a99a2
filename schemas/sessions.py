"""Sessions: signing in, and what becomes of a session."""

from datetime import timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import StringConstraints

from schemas.identity_types import EMAIL_MAX, PasswordGiven
from schemas.message import Command, State, Tombstone
from schemas.sealed import Contents, SealedCommand
from schemas.topics import ACCOUNT_COMMANDS, AUTH_COMMANDS, AUTH_REFRESHES, SESSION_EVENTS
from schemas.types import CLEAN, LINE, When

EndReason = Literal[
    "signed_out", "ended_by_owner", "ended_by_staff", "replayed", "password_changed", "expired"
]
UNUSED_ENDS: Final = timedelta(days=60)
"""How long a session lives that nobody uses, and so how long a browser keeps its cookie."""

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


class SessionCommand(Command):
    """A wish of a session's owner. It lies with the account, so that what one person wants stays in order."""

    subject = "sessions"
    key_fields = ("account_id",)
    done_when = ("read_sessions",)
    author_field = "account_id"

    account_id: UUID
    session_id: UUID

    @property
    def about(self) -> str:
        """The session, although the key is its account."""
        return f"{self.subject}/{self.session_id}"


class EndSession(SessionCommand, topic=ACCOUNT_COMMANDS):
    """End a session; `signed_out` when it is the one that asks."""

    reason: Literal["signed_out", "ended_by_owner"] = "ended_by_owner"


class EndOtherSessions(SessionCommand, topic=ACCOUNT_COMMANDS):
    """End all sessions of the account but `session_id`."""


class NameSession(SessionCommand, topic=ACCOUNT_COMMANDS):
    """Call a session something else."""

    device: Device
