"""The security log of an account: what was done to its sessions, credentials and roles, one record each."""

from typing import Literal
from uuid import UUID

from schemas.message import State, Tombstone
from schemas.topics import ACCOUNT_SECURITY
from schemas.types import When

SecurityKind = Literal[
    "signed_in",
    "session_ended",
    "family_revoked",
    "password_changed",
    "password_reset_asked",
    "password_reset",
    "email_change_asked",
    "email_changed",
    "factor_added",
    "factor_removed",
    "recovery_codes_made",
    "recovery_code_used",
    "roles_changed",
    "handle_changed",
    "deactivated",
    "reactivated",
    "deletion_asked",
    "deletion_cancelled",
    "guessing_slowed",
]


class SecurityNoted(State, topic=ACCOUNT_SECURITY):
    """Something happened that the account's owner should be able to look up. It never changes.

    `session_id` is the session that it was done in, or that it was done to; `place` is the coarse network.
    """

    subject = "security"
    key_fields = ("account_id", "event_id")

    account_id: UUID
    event_id: UUID
    kind: SecurityKind
    at: When
    session_id: UUID | None = None
    place: str = ""
    device: str = ""


class SecurityForgotten(Tombstone, topic=ACCOUNT_SECURITY):
    """It was a year ago."""

    subject = "security"
    key_fields = ("account_id", "event_id")

    account_id: UUID
    event_id: UUID
