"""Credentials: another password, another e-mail address, and what was done to one's account."""

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from gateway.reads import security_log
from gateway.reads.represent import Representation
from gateway.routes.auth import NOT_GOOD_ENOUGH, PHRASE, Sent, halves
from gateway.routes.factor_shapes import Done, given_as, shown_as
from gateway.routes.picks import Strict
from gateway.routes.values import DEFAULT_LIMIT, Cursor, Limit
from gateway.routing.reads import Look, ReadRouter
from gateway.routing.sealed import SealedRouter, Sealing
from gateway.routing.visitor import Visit, Visitor
from gateway.shapes import CURSOR
from schemas import ids
from schemas.credentials import (
    AskPasswordReset,
    ChangeEmail,
    ChangeEmailContents,
    ChangePassword,
    ChangePasswordContents,
    ConfirmEmail,
    EmailContents,
    IdentifierContents,
    ResendConfirmation,
    ResetPassword,
    ResetPasswordContents,
)
from schemas.identity_types import Email, Password, PasswordGiven
from schemas.registration import ProofContents
from schemas.security import SecurityKind
from schemas.sessions import Identifier

reads: Final = ReadRouter("Identity")
writes: Final = SealedRouter("Identity")
NEW_PHRASE: Final = "nine herons over a quiet lake"
EMAIL: Final = "ana@example.org"
ENTRY: Final = {
    "id": "3c9e2f41-7b58-5a06-8d13-e4f5a6b7c8d9",
    "kind": "signed_in",
    "at": "2026-11-24T07:00:00Z",
    "session": "d2c1b0a9-8f7e-5d6c-8b4a-392817060504",
    "place": "192.0.2.0/24",
    "device": "phone",
}


class PasswordChange(Strict):
    """The password that it is, and the one to have."""

    model_config = given_as({"current": PHRASE, "password": NEW_PHRASE})

    current: PasswordGiven
    password: Password


@writes.sealed(
    "PUT",
    "/v1/auth/password",
    may="auth.own",
    shows=Done,
    hashes=True,
    dangerous=True,
    refusals=("password-wrong", "too-many-attempts", *NOT_GOOD_ENOUGH),
)
def change_password(change: PasswordChange, visitor: Visit) -> Sealing[ChangePassword]:
    """Take another password. Every session but this one ends."""
    contents = ChangePasswordContents(**change.model_dump(), address=visitor.address)
    return Sealing(ChangePassword, contents, _own(visitor))


class Forgotten(Strict):
    """Whose password is forgotten: handle or e-mail address."""

    model_config = given_as({"identifier": "ana"}, {"identifier": EMAIL})

    identifier: Identifier


@writes.sealed(
    "POST",
    "/v1/auth/password-resets",
    may="auth.public",
    shows=Sent,
    status=202,
    limit="password-reset",
    refusals=("too-many-attempts",),
)
def ask_password_reset(forgotten: Forgotten, visitor: Visit) -> Sealing[AskPasswordReset]:
    """Ask for a new password. If somebody has this name, a mail with a code goes to that account."""
    contents = IdentifierContents(identifier=forgotten.identifier, address=visitor.address)
    reset_id = ids.made_by(visitor.command_id, "password-resets")
    return Sealing(AskPasswordReset, contents, {"reset_id": reset_id}, identifier=forgotten.identifier)


class NewPassword(Strict):
    """The password to have."""

    model_config = given_as({"password": NEW_PHRASE})

    password: Password


@writes.sealed(
    "PUT",
    "/v1/auth/password-resets/{token}",
    may="auth.public",
    shows=Done,
    limit="verification",
    hashes=True,
    refusals=("link-invalid", *NOT_GOOD_ENOUGH),
)
def reset_password(token: str, new: NewPassword, visitor: Visit) -> Sealing[ResetPassword]:
    """Set a new password with the code that was sent. It works once; every session ends."""
    account_id, secret = halves(token)
    contents = ResetPasswordContents(secret=secret, password=new.password, address=visitor.address)
    return Sealing(ResetPassword, contents, {"account_id": account_id})


class EmailChange(Strict):
    """The address to have, and the password."""

    model_config = given_as({"email": EMAIL, "password": PHRASE})

    email: Email
    password: PasswordGiven


@writes.sealed(
    "PUT",
    "/v1/auth/email",
    may="auth.own",
    shows=Sent,
    status=202,
    hashes=True,
    dangerous=True,
    refusals=("password-wrong", "too-many-attempts", "email-invalid"),
)
def change_email(change: EmailChange, visitor: Visit) -> Sealing[ChangeEmail]:
    """Take another e-mail address. A mail with a code goes there; until it is confirmed nothing changes."""
    contents = ChangeEmailContents(**change.model_dump(), address=visitor.address)
    return Sealing(ChangeEmail, contents, _own(visitor))


@writes.sealed(
    "PUT",
    "/v1/auth/email-changes/{token}",
    may="auth.public",
    shows=Done,
    limit="verification",
    refusals=("link-invalid",),
)
def confirm_email(token: str, visitor: Visit) -> Sealing[ConfirmEmail]:
    """Confirm a new e-mail address with the code that was sent there."""
    account_id, secret = halves(token)
    contents = ProofContents(secret=secret, address=visitor.address)
    return Sealing(ConfirmEmail, contents, {"account_id": account_id})


class Resend(Strict):
    """The e-mail address of a registration."""

    model_config = given_as({"email": EMAIL})

    email: Email


@writes.sealed(
    "POST",
    "/v1/auth/email-verifications",
    may="auth.public",
    shows=Sent,
    status=202,
    limit="password-reset",
    refusals=("too-many-attempts",),
)
def resend_confirmation(resend: Resend, visitor: Visit) -> Sealing[ResendConfirmation]:
    """Ask for the code of a registration once more. If one waits for this address, a mail goes there."""
    contents = EmailContents(email=resend.email, address=visitor.address)
    resend_id = ids.made_by(visitor.command_id, "email-verifications")
    return Sealing(ResendConfirmation, contents, {"resend_id": resend_id}, identifier=resend.email)


def _own(visitor: Visitor) -> dict[str, object]:
    """Whose account it is, and the session that asks."""
    return {"account_id": visitor.account_id, "session_id": visitor.session_id}


class SecurityEntry(BaseModel):
    """Something that was done; `place` is a network, never a whole address."""

    id: UUID
    kind: SecurityKind
    at: datetime
    session: UUID | None
    place: str
    device: str


class SecurityLog(BaseModel):
    """A page of the security log; `next` is the cursor of the next page."""

    model_config = shown_as({"items": [ENTRY], "next": CURSOR})

    items: list[SecurityEntry]
    next: str | None


@reads.read("/v1/auth/security-log", reads=security_log.SHOWN, may="auth.own", shows=SecurityLog, cost=2)
async def show_security_log(
    look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Representation:
    """What was done to your sessions, credentials and roles in the last year, newest first."""
    return await security_log.page(look.services.database, look.account_id, limit, cursor)
