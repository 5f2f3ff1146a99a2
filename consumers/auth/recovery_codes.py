"""Recovery codes of an account: made with its first factor, and anew when its owner asks."""

from collections.abc import Sequence
from uuid import UUID

from consumers.auth import key_pairs, proofs, recovery
from consumers.auth.freshness import fresh
from consumers.auth.group import auth
from consumers.auth.store import accounts, factors
from infra.runtime import Db, Refusal, Reply
from infra.sealing import Opened
from schemas.envelope import Meta
from schemas.factors import ConfirmFactorContents, FactorContents, MakeRecoveryCodes
from schemas.message import Message


@auth.on(MakeRecoveryCodes, prepare=key_pairs.open_box)
async def make_recovery_codes(
    wish: MakeRecoveryCodes, meta: Meta, db: Db, seen: Opened[FactorContents]
) -> Sequence[Message | Reply] | Refusal:
    """Ten new codes in place of all others, shown once; for accounts with a second factor only."""
    if refused := await fresh(db, seen.contents.session, meta.at):
        return refused
    held = await accounts.get(db, wish.account_id)
    if held is None or not await factors.confirmed(db, wish.account_id):
        return Refusal("no_factor")
    codes = await new_codes(db, wish.account_id, seen.draw("codes", recovery.RANDOM))
    noted = await proofs.noted_in(db, meta, wish.account_id, "recovery_codes_made", seen.contents)
    reply = Reply(seen.answer({"recovery_codes": codes}))
    return [await factors.changed(db, wish.account_id), noted, reply]


async def first_codes(db: Db, account_id: UUID, seen: Opened[ConfirmFactorContents]) -> list[str]:
    """Ten codes for an account that has none left; else no codes, for they are shown once only."""
    if await factors.codes_left(db, account_id):
        return []
    return await new_codes(db, account_id, seen.draw("codes", recovery.RANDOM))


async def new_codes(db: Db, account_id: UUID, random: bytes) -> list[str]:
    """Keep ten codes in place of all others; how they are shown."""
    codes = recovery.codes(random)
    bare = [code.replace("-", "") for code in codes]
    key = proofs.recovery_key()
    await factors.replace_codes(db, account_id, [recovery.stored(code, account_id, key) for code in bare])
    return codes
