"""Proof of a second factor: counted before it is looked at, and used up by what it proves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeVar
from uuid import UUID

from consumers.auth import access, letters, passkeys, recovery, totp, vault
from consumers.auth.passkeys import Credential, PasskeyError
from consumers.auth.relying import relying
from consumers.auth.security import noted
from consumers.auth.store import accounts, factors, guesses
from consumers.auth.store.challenges import Challenge
from consumers.auth.store.factors import Factor
from consumers.auth.store.guesses import Guess
from consumers.auth.telling import told
from infra.runtime import Db, Effect
from infra.sealing import NONCE_BYTES, Opened, decrypt, encrypt
from schemas.envelope import Meta
from schemas.factors import FactorContents, FactorProof
from schemas.message import Message
from schemas.security import SecurityKind, SecurityNoted

FREE_OF_SUBJECT: Final = 5
FREE_OF_ACCOUNT: Final = 10
FREE_OF_ADDRESS: Final = 100

P = TypeVar("P", bound=FactorProof)
Method = Literal["totp", "passkey", "recovery_code"]


@dataclass(frozen=True, slots=True)
class Used:
    """A proven factor, used up."""

    method: Method


def tries(subject: UUID, account_id: UUID | None, address: str) -> list[Guess]:
    """The counters of a try at a factor: of the address, of the challenge, session or factor it is about, and
    of the account if that is known."""
    counters = [
        Guess.at("address", access.coarse(address), FREE_OF_ADDRESS),
        Guess.at("challenge", str(subject), FREE_OF_SUBJECT),
    ]
    if account_id is not None:
        counters.append(Guess.at("factor", str(account_id), FREE_OF_ACCOUNT))
    return counters


async def forgive(db: Db, tried: Sequence[Guess]) -> None:
    """It was right; the first of `tries` is shared with others of the same network."""
    await guesses.uncount(db, tried[0])
    await guesses.forgive(db, tried[1:])


async def use(
    db: Db, account_id: UUID, proof: FactorProof, challenge: Challenge | None, at: datetime
) -> Used | None:
    """Check what was sent and use it up; None when it proves nothing. The account's row is locked.

    `challenge` is what a passkey must have signed.
    """
    if proof.totp is not None:
        return await _code(db, account_id, proof.totp, at)
    if proof.recovery_code is not None:
        return await _recovery(db, account_id, proof.recovery_code, at)
    if proof.passkey is not None and challenge is not None:
        return await _passkey(db, account_id, proof.passkey, challenge, at)
    return None


async def follows(
    db: Db, meta: Meta, account_id: UUID, used: Used, session_id: UUID, opened: Opened[P]
) -> list[Message | Effect]:
    """What follows from a use: the account's new list; a recovery code is something to notice."""
    changed = await factors.changed(db, account_id)
    if used.method != "recovery_code":
        return [changed]
    place, nonce = access.coarse(opened.contents.address), opened.draw("letter", NONCE_BYTES)
    left = str(changed.recovery_codes)
    return [
        changed,
        await noted(db, meta, account_id, "recovery_code_used", session_id=session_id, place=place),
        *await told(db, "recovery_code_used", account_id, nonce, left=left),
    ]


async def noted_in(
    db: Db, meta: Meta, account_id: UUID, kind: SecurityKind, contents: FactorContents
) -> SecurityNoted:
    """What the security log says of a change that was asked for in a session."""
    place = access.coarse(contents.address)
    return await noted(db, meta, account_id, kind, session_id=contents.session, place=place)


async def _code(db: Db, account_id: UUID, code: str, at: datetime) -> Used | None:
    for factor in await factors.confirmed(db, account_id):
        step = await step_of(db, factor, code, at)
        if step is not None and await factors.use_step(db, factor.factor_id, step, at):
            return Used("totp")
    return None


async def _recovery(db: Db, account_id: UUID, typed: str, at: datetime) -> Used | None:
    left = await factors.codes_left(db, account_id)
    found = recovery.matching(typed, left, account_id, recovery_key())
    if found is None or not await factors.strike_code(db, account_id, found, at):
        return None
    return Used("recovery_code")


async def _passkey(
    db: Db, account_id: UUID, response: str, challenge: Challenge, at: datetime
) -> Used | None:
    factor = await owner(db, response)
    if factor is None or factor.credential is None or factor.account_id != account_id:
        return None
    named = challenge.account_id is not None
    try:
        done = passkeys.check_authentication(
            response, challenge.random, factor.credential, account_id, relying(), named=named
        )
    except PasskeyError:
        return None
    await factors.use_passkey(db, factor.factor_id, done.sign_count, done.backed_up, at)
    return Used("passkey")


async def owner(db: Db, response: str) -> Factor | None:
    """The passkey that an answer claims to be from; nothing is proven by that."""
    try:
        return await factors.by_credential(db, passkeys.claimed(response).id)
    except PasskeyError:
        return None


async def step_of(db: Db, factor: Factor, code: str, at: datetime) -> int | None:
    """The step that a code of this authenticator app belongs to, None if it is wrong or used."""
    wrapped = await accounts.data_key(db, factor.account_id)
    if factor.secret is None or wrapped is None:
        return None
    key = letters.data_key(wrapped, factor.account_id)
    secret = decrypt(key, factor.secret, _about(factor.factor_id))
    return totp.step_of(code, secret, at, factor.last_step)


def sealed_secret(data_key: bytes, factor_id: UUID, nonce: bytes, secret: bytes) -> bytes:
    """How the secret of an authenticator app is kept."""
    return encrypt(data_key, nonce, secret, _about(factor_id))


def _about(factor_id: UUID) -> bytes:
    return f"totp/{factor_id}".encode()


def recovery_key() -> bytes:
    """The key that recovery codes are hashed with."""
    return vault.lookup("key", "recovery codes")


def methods(confirmed: Sequence[Factor], codes_left: int) -> list[Method]:
    """The ways in which an account can prove a second factor."""
    kinds = {factor.kind for factor in confirmed}
    ways: list[Method] = [kind for kind in ("totp", "passkey") if kind in kinds]
    return [*ways, "recovery_code"] if codes_left else ways


def credentials(confirmed: Sequence[Factor]) -> list[Credential]:
    """The passkeys among them, as WebAuthn knows them."""
    return [factor.credential for factor in confirmed if factor.credential is not None]
