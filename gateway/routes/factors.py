"""Second factors: answer a challenge, step up, see, add, name and remove factors, recovery codes."""

from typing import Final
from uuid import UUID

import orjson

from gateway.cookies import browser_or_app, deliverable
from gateway.reads import factors as read
from gateway.reads.represent import Representation
from gateway.routes.auth import SignedIn
from gateway.routes.factor_shapes import (
    ChallengeAnswer,
    ChallengeAsked,
    CodesLeft,
    Confirmation,
    Done,
    FactorBegun,
    FactorConfirmed,
    FactorRenamed,
    Factors,
    NewFactor,
    Reauthentication,
    RecoveryCodes,
    SteppedUp,
)
from gateway.routing.reads import Look, ReadRouter
from gateway.routing.sealed import SealedRouter, Sealing
from gateway.routing.visitor import Visit, Visitor
from schemas import ids
from schemas.factors import (
    AddFactor,
    AddFactorContents,
    AnswerChallenge,
    BeginChallenge,
    BeginChallengeContents,
    ChallengeProof,
    ConfirmFactor,
    ConfirmFactorContents,
    FactorContents,
    MakeRecoveryCodes,
    NameFactor,
    NameFactorContents,
    Reauthenticate,
    ReauthenticateContents,
    RemoveFactor,
)

writes: Final = SealedRouter("Identity")
reads: Final = ReadRouter("Identity")
TRIED: Final = ("factor-wrong", "challenge-invalid", "too-many-attempts")


@writes.sealed(
    "POST",
    "/v1/auth/challenges",
    may="auth.public",
    shows=ChallengeAsked,
    limit="sign-in",
    refusals=("session-ended",),
)
def begin_challenge(visitor: Visit) -> Sealing[BeginChallenge]:
    """Ask for something that a passkey signs: to sign in with it alone, or, signed in, to step up."""
    contents = BeginChallengeContents(
        session=visitor.session_id if visitor.claims else None, address=visitor.address
    )
    challenge_id = ids.made_by(visitor.command_id, "challenges")
    return Sealing(
        BeginChallenge,
        contents,
        {"challenge_id": challenge_id},
        identifier=str(challenge_id),
    )


@writes.sealed(
    "PUT",
    "/v1/auth/challenges/{challenge}",
    may="auth.public",
    shows=SignedIn,
    status=201,
    limit="sign-in",
    refusals=(*TRIED, "suspended"),
    present=browser_or_app,
)
def answer_challenge(challenge: UUID, answer: ChallengeAnswer, visitor: Visit) -> Sealing[AnswerChallenge]:
    """Prove a second factor after the password, or a passkey alone: the session begins."""
    delivery = deliverable(answer.delivery, visitor.request)
    contents = ChallengeProof(
        totp=answer.totp,
        passkey=as_text(answer.passkey),
        recovery_code=answer.recovery_code,
        device=answer.device,
        address=visitor.address,
    )
    return Sealing(
        AnswerChallenge,
        contents,
        {"challenge_id": challenge},
        identifier=str(challenge),
        delivery=delivery,
    )


@writes.sealed(
    "POST",
    "/v1/auth/reauthentications",
    may="auth.own",
    shows=SteppedUp,
    limit="sign-in",
    hashes=True,
    refusals=(*TRIED, "credentials-wrong", "password-not-enough", "session-ended"),
)
def reauthenticate(proof: Reauthentication, visitor: Visit) -> Sealing[Reauthenticate]:
    """Prove once more that it is you: dangerous acts are possible for ten minutes."""
    contents = ReauthenticateContents(
        totp=proof.totp,
        passkey=as_text(proof.passkey),
        recovery_code=proof.recovery_code,
        password=proof.password,
        challenge=proof.challenge,
        address=visitor.address,
    )
    return Sealing(
        Reauthenticate,
        contents,
        {"session_id": visitor.session_id},
        identifier=str(visitor.account_id),
    )


@reads.read("/v1/auth/factors", reads=read.SHOWN, may="auth.own", shows=Factors)
async def list_factors(look: Look) -> Representation:
    """Your second factors, and how many recovery codes are left."""
    return await read.all_of(look.services.database, look.account_id)


@writes.sealed(
    "POST",
    "/v1/auth/factors",
    may="auth.own",
    shows=FactorBegun,
    status=201,
    refusals=("too-many-factors", "not-found"),
    dangerous=True,
)
def add_factor(new: NewFactor, visitor: Visit) -> Sealing[AddFactor]:
    """Begin to add an authenticator app or a passkey; it counts when it is confirmed."""
    contents = AddFactorContents(
        kind=new.kind, name=new.name, session=visitor.session_id, address=visitor.address
    )
    return Sealing(AddFactor, contents, factor(visitor, ids.made_by(visitor.command_id, "factors")))


@writes.sealed(
    "PUT",
    "/v1/auth/factors/{factor_id}/confirmation",
    may="factor.change",
    shows=FactorConfirmed,
    refusals=(*TRIED, "already-confirmed", "passkey-known", "session-ended", "not-found"),
)
def confirm_factor(factor_id: UUID, confirmation: Confirmation, visitor: Visit) -> Sealing[ConfirmFactor]:
    """Show that the factor works. The first one brings recovery codes: keep them where the phone is not."""
    contents = ConfirmFactorContents(
        totp=confirmation.totp,
        passkey=as_text(confirmation.passkey),
        session=visitor.session_id,
        address=visitor.address,
    )
    return Sealing(ConfirmFactor, contents, factor(visitor, factor_id))


@writes.sealed(
    "PATCH",
    "/v1/auth/factors/{factor_id}",
    may="factor.change",
    shows=Done,
    refusals=("not-found",),
)
def name_factor(factor_id: UUID, change: FactorRenamed, visitor: Visit) -> Sealing[NameFactor]:
    """Call a factor something else."""
    contents = NameFactorContents(name=change.name, session=visitor.session_id, address=visitor.address)
    return Sealing(NameFactor, contents, factor(visitor, factor_id))


@writes.sealed(
    "DELETE",
    "/v1/auth/factors/{factor_id}",
    may="factor.change",
    shows=Done,
    refusals=("last-factor-needed", "not-found"),
    dangerous=True,
)
def remove_factor(factor_id: UUID, visitor: Visit) -> Sealing[RemoveFactor]:
    """Give a factor up. The last one stays while a role or a password under 15 characters demands it."""
    return Sealing(RemoveFactor, in_session(visitor), factor(visitor, factor_id))


@reads.read("/v1/auth/recovery-codes", reads=read.SHOWN, may="auth.own", shows=CodesLeft)
async def count_recovery_codes(look: Look) -> Representation:
    """How many recovery codes are left."""
    return await read.codes_left(look.services.database, look.account_id)


@writes.sealed(
    "POST",
    "/v1/auth/recovery-codes",
    may="auth.own",
    shows=RecoveryCodes,
    status=201,
    refusals=("no-factor",),
    dangerous=True,
)
def make_recovery_codes(visitor: Visit) -> Sealing[MakeRecoveryCodes]:
    """Ten new recovery codes, shown this once; older ones are worth nothing any more."""
    return Sealing(MakeRecoveryCodes, in_session(visitor), {"account_id": visitor.account_id})


def factor(visitor: Visitor, factor_id: UUID) -> dict[str, object]:
    """The open fields of a command about a factor."""
    return {"account_id": visitor.account_id, "factor_id": factor_id}


def in_session(visitor: Visitor) -> FactorContents:
    """Contents that say no more than where it is asked for."""
    return FactorContents(session=visitor.session_id, address=visitor.address)


def as_text(passkey: dict[str, object] | None) -> str | None:
    """A browser's answer as the text that was signed about."""
    return None if passkey is None else orjson.dumps(passkey).decode()
