"""Changing a credential: the password, known or forgotten, and the e-mail address. All sealed."""

from datetime import timedelta
from uuid import UUID

from schemas.identity_types import Email, Password, PasswordGiven
from schemas.registration import ProofContents
from schemas.sealed import Contents, SealedCommand
from schemas.sessions import Identifier
from schemas.topics import AUTH_COMMANDS


class CredentialCommand(SealedCommand):
    """A wish of an account's owner about how it is signed in to; he is signed in with `session_id`."""

    subject = "accounts"
    key_fields = ("account_id",)
    author_field = "account_id"

    account_id: UUID
    session_id: UUID


class ChangePasswordContents(Contents):
    """The password that it is, and the one that it shall be. `address` is that of the network."""

    current: PasswordGiven
    password: Password
    address: str = ""


class ChangePassword(CredentialCommand, topic=AUTH_COMMANDS):
    """Take another password; every other session ends."""

    contents = ChangePasswordContents


class ChangeEmailContents(Contents):
    """The address to have, and the password, so that a session that was left open is not enough."""

    email: Email
    password: PasswordGiven
    address: str = ""


class ChangeEmail(CredentialCommand, topic=AUTH_COMMANDS):
    """Take another e-mail address, as soon as it is proven. That it is somebody's is told to it alone."""

    contents = ChangeEmailContents


class ProvenCommand(SealedCommand):
    """Something that is done with what was mailed to an account's address; anybody who has it may."""

    subject = "accounts"
    key_fields = ("account_id",)

    account_id: UUID


class ConfirmEmail(ProvenCommand, topic=AUTH_COMMANDS):
    """Prove the new e-mail address."""

    contents = ProofContents


class ResetPasswordContents(ProofContents):
    """The secret half of what was mailed, and a new password."""

    password: Password


class ResetPassword(ProvenCommand, topic=AUTH_COMMANDS):
    """Set a new password; every session ends."""

    contents = ResetPasswordContents


class IdentifierContents(Contents):
    """A handle or an e-mail address."""

    identifier: Identifier
    address: str = ""


class AskPasswordReset(SealedCommand, topic=AUTH_COMMANDS):
    """Mail a code to whoever has this name, if anybody has."""

    subject = "password-resets"
    key_fields = ("reset_id",)
    contents = IdentifierContents
    deadline = timedelta(minutes=10)

    reset_id: UUID


class EmailContents(Contents):
    """An e-mail address."""

    email: Email
    address: str = ""


class ResendConfirmation(SealedCommand, topic=AUTH_COMMANDS):
    """Mail a new code for the registration that waits for this address to be proven, if one does."""

    subject = "email-verifications"
    key_fields = ("resend_id",)
    contents = EmailContents
    deadline = timedelta(minutes=10)

    resend_id: UUID
