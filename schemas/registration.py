"""Opening an account: a registration, which becomes an account when its e-mail address is proven."""

from datetime import timedelta
from uuid import UUID

from schemas.identity_types import Email, Handle, Password
from schemas.sealed import Contents, SealedCommand
from schemas.topics import AUTH_COMMANDS


class RegistrationCommand(SealedCommand):
    """A wish about a registration; the account has its id."""

    subject = "registrations"
    key_fields = ("account_id",)

    account_id: UUID


class RegisterContents(Contents):
    """Who wants an account. `address` is that of the network."""

    handle: Handle
    email: Email
    password: Password
    address: str = ""


class Register(RegistrationCommand, topic=AUTH_COMMANDS):
    """Ask for an account. Whether the e-mail address is known already is told to its owner alone."""

    contents = RegisterContents
    deadline = timedelta(minutes=10)


class ProofContents(Contents):
    """The secret half of the link that was sent."""

    secret: str
    address: str = ""


class ConfirmRegistration(RegistrationCommand, topic=AUTH_COMMANDS):
    """Prove the e-mail address with what was sent there; the account begins."""

    contents = ProofContents
