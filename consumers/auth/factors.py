"""Second factors of an account: named and removed. Adding one is in `enrolling`."""

from collections.abc import Sequence

from consumers.auth import key_pairs, proofs
from consumers.auth.freshness import fresh
from consumers.auth.group import auth
from consumers.auth.passwords import PASSWORD_MIN_ALONE
from consumers.auth.store import accounts, factors
from consumers.auth.store.factors import Factor
from consumers.auth.telling import told
from infra.runtime import Db, Effect, Refusal, Unchanged
from infra.sealing import NONCE_BYTES, Opened
from schemas.accounts import AccountState
from schemas.envelope import Meta
from schemas.factors import FactorContents, FactorsChanged, NameFactor, NameFactorContents, RemoveFactor
from schemas.message import Message
from schemas.roles import role_of


@auth.on(NameFactor, prepare=key_pairs.open_box)
async def name_factor(
    wish: NameFactor, _meta: Meta, db: Db, seen: Opened[NameFactorContents]
) -> FactorsChanged | Unchanged | Refusal:
    """Its owner calls it something else."""
    held = await accounts.get(db, wish.account_id)
    factor = await factors.one(db, wish.account_id, wish.factor_id)
    if held is None or factor is None or factor.confirmed_at is None:
        return Refusal("not_found")
    if factor.name == seen.contents.name:
        return Unchanged()
    await factors.rename(db, factor.factor_id, seen.contents.name)
    return await factors.changed(db, wish.account_id)


@auth.on(RemoveFactor, prepare=key_pairs.open_box)
async def remove_factor(
    wish: RemoveFactor, meta: Meta, db: Db, seen: Opened[FactorContents]
) -> Sequence[Message | Effect] | Refusal:
    """It counts no more; the last one stays while a role or a short password demands it."""
    if refused := await fresh(db, seen.contents.session, meta.at):
        return refused
    held = await accounts.get(db, wish.account_id)
    factor = await factors.one(db, wish.account_id, wish.factor_id)
    if held is None or factor is None:
        return Refusal("not_found")
    if refused := await _needed(db, held.account, factor):
        return refused
    await factors.remove(db, factor.factor_id)
    return await _left(db, factor, meta, seen)


async def _needed(db: Db, account: AccountState, factor: Factor) -> Refusal | None:
    """Why it must stay, or None."""
    confirmed = await factors.confirmed(db, account.account_id)
    if [each.factor_id for each in confirmed] != [factor.factor_id]:
        return None
    credentials = await accounts.credentials(db, account.account_id)
    long_enough = credentials is not None and credentials.password_length >= PASSWORD_MIN_ALONE
    demanded = any(role.second_factor for role in map(role_of, account.roles) if role is not None)
    if long_enough and not demanded:
        return None
    return Refusal("last_factor_needed")


async def _left(
    db: Db, removed: Factor, meta: Meta, seen: Opened[FactorContents]
) -> Sequence[Message | Effect]:
    """The list without it; recovery codes go with the last factor. Nobody knew of an unconfirmed one."""
    if removed.confirmed_at is None:
        return []
    if not await factors.confirmed(db, removed.account_id):
        await factors.replace_codes(db, removed.account_id, [])
    account_id, nonce = removed.account_id, seen.draw("letter", NONCE_BYTES)
    return [
        await factors.changed(db, account_id),
        await proofs.noted_in(db, meta, account_id, "factor_removed", seen.contents),
        *await told(db, "factor_removed", account_id, nonce, name=removed.name),
    ]
