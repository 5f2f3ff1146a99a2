"""Second factors: authenticator apps, passkeys and recovery codes, and what is asked of them."""

from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.identity_types import PasswordGiven
from schemas.message import State, Tombstone
from schemas.sealed import Contents, SealedCommand
from schemas.sessions import Device
from schemas.topics import AUTH_COMMANDS, FACTOR_EVENTS
from schemas.types import CLEAN, LINE, When

PASSKEY_MAX: Final = 16 * 1024
"""Characters of what a browser answers for a passkey; one without attestation has about 1,000."""

FactorKind = Literal["totp", "passkey"]
FactorName = Annotated[
    str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True), CLEAN, LINE
]
Code = Annotated[str, StringConstraints(min_length=1, max_length=80), CLEAN]
"""Of an authenticator app or for recovery, as somebody typed it."""
PasskeyAnswer = Annotated[str, StringConstraints(min_length=2, max_length=PASSKEY_MAX)]
"""RegistrationResponseJSON or AuthenticationResponseJSON of WebAuthn Level 3, as text."""


class FactorProof(Contents):
    """What proves a factor: one of the three. `address` is that of the network."""

    totp: Code | None = None
    passkey: PasskeyAnswer | None = None
    recovery_code: Code | None = None
    address: str = ""


class ChallengeCommand(SealedCommand):
    """A wish about a challenge; a session that begins with it has its id."""

    subject = "challenges"
    key_fields = ("challenge_id",)

    challenge_id: UUID


class BeginChallengeContents(Contents):
    """`session` is that of the caller, None for somebody who wants to sign in."""

    session: UUID | None = None
    address: str = ""


class BeginChallenge(ChallengeCommand, topic=AUTH_COMMANDS):
    """Ask for something that a passkey can sign: to sign in without a name, or to step up a session."""

    contents = BeginChallengeContents


class ChallengeProof(FactorProof):
    """`device` is what the session will be called, unless it has been said before."""

    device: Device = ""


class AnswerChallenge(ChallengeCommand, topic=AUTH_COMMANDS):
    """Prove a second factor, or a passkey alone: the session begins."""

    contents = ChallengeProof


class FactorCommand(SealedCommand):
    """A wish about a factor of one's own."""

    subject = "factors"
    key_fields = ("account_id", "factor_id")
    author_field: ClassVar[str | None] = "account_id"

    account_id: UUID
    factor_id: UUID


class FactorContents(Contents):
    """The session in which it is asked for."""

    session: UUID
    address: str = ""


class AddFactorContents(FactorContents):
    """What to add, and what its owner calls it."""

    kind: FactorKind
    name: FactorName


class AddFactor(FactorCommand, topic=AUTH_COMMANDS):
    """Begin to add a factor: the answer has what the app or the browser needs."""

    contents = AddFactorContents


class ConfirmFactorContents(FactorContents):
    """The first code of an authenticator app, or what the browser answered when it made the passkey."""

    totp: Code | None = None
    passkey: PasskeyAnswer | None = None


class ConfirmFactor(FactorCommand, topic=AUTH_COMMANDS):
    """Show that the factor works: from now on it counts."""

    contents = ConfirmFactorContents


class NameFactorContents(FactorContents):
    """Its new name."""

    name: FactorName


class NameFactor(FactorCommand, topic=AUTH_COMMANDS):
    """Call a factor something else."""

    contents = NameFactorContents


class RemoveFactor(FactorCommand, topic=AUTH_COMMANDS):
    """Give a factor up. The last one stays while something demands it."""

    contents = FactorContents


class MakeRecoveryCodes(SealedCommand, topic=AUTH_COMMANDS):
    """Make ten new recovery codes; older ones are worth nothing any more."""

    subject = "factors"
    key_fields = ("account_id",)
    author_field: ClassVar[str | None] = "account_id"
    contents = FactorContents

    account_id: UUID


class ReauthenticateContents(FactorProof):
    """The password or a factor; `challenge` is what a passkey has signed."""

    password: PasswordGiven | None = None
    challenge: UUID | None = None


class Reauthenticate(SealedCommand, topic=AUTH_COMMANDS):
    """Prove once more who is there, so that dangerous acts are possible for ten minutes."""

    subject = "sessions"
    key_fields = ("session_id",)
    contents = ReauthenticateContents

    session_id: UUID


class FactorListed(BaseModel):
    """A factor as its owner sees it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    kind: FactorKind
    name: str
    added_at: When
    used_at: When | None = None


class FactorsChanged(State, topic=FACTOR_EVENTS):
    """The confirmed factors of an account, and how many recovery codes are left. No secret, no credential."""

    subject = "factors"
    key_fields = ("account_id",)

    account_id: UUID
    factors: Annotated[tuple[FactorListed, ...], Field(max_length=20)] = ()
    recovery_codes: int = 0


class FactorsGone(Tombstone, topic=FACTOR_EVENTS):
    """The account is gone for good."""

    subject = "factors"
    key_fields = ("account_id",)

    account_id: UUID
