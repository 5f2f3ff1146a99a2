"""Adding a second factor: it counts when it has been seen to work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from consumers.auth import key_pairs, letters, passkeys, proofs, totp
from consumers.auth.challenges import EXPIRES
from consumers.auth.freshness import fresh, proven_now, session_of
from consumers.auth.group import auth
from consumers.auth.passkeys import PasskeyError
from consumers.auth.recovery_codes import first_codes
from consumers.auth.relying import relying
from consumers.auth.store import accounts, challenges, factors, guesses
from consumers.auth.store.challenges import Challenge
from consumers.auth.store.factors import Factor
from consumers.auth.store.guesses import Guess
from consumers.auth.telling import told
from infra.runtime import Db, Effect, Refusal, Reply
from infra.sealing import NONCE_BYTES, Opened
from schemas.envelope import Meta
from schemas.factors import AddFactor, AddFactorContents, ConfirmFactor, ConfirmFactorContents
from schemas.message import Message

MOST: Final = 10
"""Factors of one account, with those that are not confirmed."""
WRONG: Final = Refusal("factor_wrong")


@auth.on(AddFactor, prepare=key_pairs.open_box)
async def add_factor(wish: AddFactor, meta: Meta, db: Db, seen: Opened[AddFactorContents]) -> Reply | Refusal:
    """A factor that is not confirmed counts for nothing; at most ten to an account."""
    if refused := await fresh(db, seen.contents.session, meta.at):
        return refused
    held = await accounts.get(db, wish.account_id)
    if held is None:
        return Refusal("not_found")
    if await factors.count(db, wish.account_id) >= MOST:
        return Refusal("too_many_factors")
    make = _new_app if seen.contents.kind == "totp" else _new_passkey
    return Reply(seen.answer(await make(db, wish, meta, seen, held.account.handle)))


async def _new_app(
    db: Db, wish: AddFactor, meta: Meta, seen: Opened[AddFactorContents], handle: str
) -> dict[str, object]:
    """The secret, to be scanned or typed."""
    secret, wrapped = seen.draw("totp", totp.SECRET), await accounts.data_key(db, wish.account_id)
    assert wrapped is not None
    key = letters.data_key(wrapped, wish.account_id)
    sealed = proofs.sealed_secret(key, wish.factor_id, seen.draw("nonce", NONCE_BYTES), secret)
    await factors.add(db, _new(wish, meta, seen, sealed))
    app = {"secret": totp.typed(secret), "uri": totp.uri(secret, handle)}
    return {"id": str(wish.factor_id), "kind": "totp", "totp": app}


async def _new_passkey(
    db: Db, wish: AddFactor, meta: Meta, seen: Opened[AddFactorContents], handle: str
) -> dict[str, object]:
    """What the browser needs to make it."""
    random = seen.draw("challenge", passkeys.CHALLENGE)
    challenge = Challenge(wish.factor_id, "add_passkey", random, meta.at + EXPIRES, wish.account_id)
    await challenges.add(db, challenge)
    known = proofs.credentials(await factors.confirmed(db, wish.account_id))
    await factors.add(db, _new(wish, meta, seen, None))
    options = passkeys.registration_options(relying(), wish.account_id, handle, random, known)
    return {"id": str(wish.factor_id), "kind": "passkey", "passkey": orjson.loads(options)}


def _new(wish: AddFactor, meta: Meta, seen: Opened[AddFactorContents], secret: bytes | None) -> Factor:
    contents = seen.contents
    return Factor(wish.factor_id, wish.account_id, contents.kind, contents.name, meta.at, secret=secret)


@dataclass(frozen=True, slots=True)
class Shown:
    """A first use that was counted and not looked at yet."""

    opened: Opened[ConfirmFactorContents]
    guesses: Sequence[Guess]


async def counted(wish: ConfirmFactor, meta: Meta, db: Db) -> Shown | Refusal:
    """Open the box, and count the try before anybody looks at it."""
    opened = await key_pairs.opened(ConfirmFactorContents, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    counters = proofs.tries(wish.factor_id, wish.account_id, opened.contents.address)
    if not await guesses.admit(db, counters, meta.at):
        return Refusal("too_many_attempts")
    return Shown(opened, counters)


@auth.on(ConfirmFactor, prepare=counted)
async def confirm_factor(
    wish: ConfirmFactor, meta: Meta, db: Db, shown: Shown
) -> Sequence[Message | Effect | Reply] | Refusal:
    """What works counts from now on, and in this session it was used; the first one brings recovery codes."""
    session = await session_of(db, shown.opened.contents.session, wish.account_id)
    if session is None or await accounts.get(db, wish.account_id) is None:
        return Refusal("session_ended")
    factor = await _confirmed(db, wish, meta, shown.opened.contents)
    if isinstance(factor, Refusal):
        return factor
    await proofs.forgive(db, shown.guesses)
    seen = await proven_now(db, session, meta, assurance=2)
    return [seen, *await _added(db, factor, meta, shown.opened)]


async def _added(
    db: Db, factor: Factor, meta: Meta, opened: Opened[ConfirmFactorContents]
) -> list[Message | Effect | Reply]:
    """What follows: recovery codes with the first one, and everybody who must know it does."""
    account_id, nonce = factor.account_id, opened.draw("letter", NONCE_BYTES)
    codes = await first_codes(db, account_id, opened)
    return [
        await factors.changed(db, account_id),
        await proofs.noted_in(db, meta, account_id, "factor_added", opened.contents),
        *await told(db, "factor_added", account_id, nonce, name=factor.name),
        Reply(opened.answer({"id": str(factor.factor_id), "recovery_codes": codes})),
    ]


async def _confirmed(
    db: Db, wish: ConfirmFactor, meta: Meta, contents: ConfirmFactorContents
) -> Factor | Refusal:
    """The factor, which counts now, or why it does not."""
    factor = await factors.one(db, wish.account_id, wish.factor_id)
    if factor is None:
        return Refusal("not_found")
    if factor.confirmed_at is not None:
        return Refusal("already_confirmed")
    if factor.kind == "totp":
        refused = await _confirm_app(db, factor, meta, contents.totp)
    else:
        refused = await _confirm_passkey(db, factor, meta, contents.passkey)
    return refused or factor


async def _confirm_app(db: Db, factor: Factor, meta: Meta, code: str | None) -> Refusal | None:
    step = await proofs.step_of(db, factor, code, meta.at) if code is not None else None
    if step is None:
        return WRONG
    await factors.confirm_app(db, factor.factor_id, step, meta.at)
    return None


async def _confirm_passkey(db: Db, factor: Factor, meta: Meta, response: str | None) -> Refusal | None:
    challenge = await challenges.get(db, factor.factor_id, "add_passkey", meta.at)
    if challenge is None:
        return Refusal("challenge_invalid")
    try:
        made = passkeys.check_registration(response or "", challenge.random, relying())
    except PasskeyError:
        return WRONG
    if await factors.by_credential(db, made.id) is not None:
        return Refusal("passkey_known")
    await factors.confirm_passkey(db, factor.factor_id, made, meta.at)
    await challenges.remove(db, factor.factor_id)
    return None
