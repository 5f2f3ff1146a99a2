"""A forgotten password: a code goes to the account's address, and whoever has the code sets a new one.

Whether anybody has a name shows nowhere: for nobody's name there is a proof and a letter all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from consumers.auth import access, key_pairs, letters, policy
from consumers.auth.changing_password import NewPassword, acceptable, renewed
from consumers.auth.group import HASHING, auth
from consumers.auth.signing_in import name_of, named
from consumers.auth.store import accounts, contacts, guesses, proofs
from consumers.auth.store.guesses import Guess
from consumers.auth.store.proofs import Proof
from infra.runtime import Db, Effect, Refusal
from infra.sealing import NONCE_BYTES, Opened, b64
from schemas.credentials import AskPasswordReset, IdentifierContents, ResetPassword, ResetPasswordContents
from schemas.envelope import Meta
from schemas.message import Message

GOOD_FOR: Final = timedelta(minutes=30)
FREE_OF_NAME: Final = 3
FREE_OF_ADDRESS: Final = 20


async def opened(wish: AskPasswordReset, meta: Meta, db: Db) -> Opened[IdentifierContents] | Refusal:
    """Open the box and count: nobody's mailbox is to be filled."""
    seen = await key_pairs.opened(IdentifierContents, wish, meta, db)
    if isinstance(seen, Refusal):
        return seen
    contents = seen.contents
    counted = mailings("reset", name_of(contents.identifier), contents.address)
    return seen if await guesses.admit(db, counted, meta.at) else Refusal("too_many_attempts")


def mailings(kind: str, name: str, address: str) -> list[Guess]:
    """The counters of mails of this kind that an anonymous caller asks for."""
    return [
        Guess.at(f"{kind}/address", access.coarse(address), FREE_OF_ADDRESS),
        Guess.at(f"{kind}/name", name, FREE_OF_NAME),
    ]


@auth.on(AskPasswordReset, prepare=opened)
async def ask_password_reset(
    wish: AskPasswordReset, meta: Meta, db: Db, seen: Opened[IdentifierContents]
) -> Effect:
    """A code that is good once goes to whoever has the name; the one before is good no more."""
    found = await named(db, seen.contents.identifier)
    account_id = found.account_id if found else wish.reset_id
    contact = await contacts.get(db, account_id) or letters.nobody(seen, account_id)
    secret, place = seen.draw("proof"), access.coarse(seen.contents.address)
    await proofs.keep(
        db, Proof(account_id, "reset", proofs.digest(secret), place, meta.at, meta.at + GOOD_FOR)
    )
    token = b64(account_id.bytes + secret)
    return letters.letter("reset_password", contact, seen.draw("letter", NONCE_BYTES), token=token)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new password by who has a code that is good, and the code's secret half."""

    secret: bytes
    new: NewPassword


async def proven(wish: ResetPassword, meta: Meta, db: Db) -> Wanted | Refusal:
    """Open the box, look at the code, then at the password."""
    seen = await key_pairs.opened(ResetPasswordContents, wish, meta, db)
    if isinstance(seen, Refusal):
        return seen
    secret = policy.unb64_or_nothing(seen.contents.secret)
    if await proofs.get(db, wish.account_id, "reset", secret, meta.at) is None:
        return Refusal("link_invalid")
    new = await acceptable(db, wish.account_id, seen)
    return new if isinstance(new, Refusal) else Wanted(secret, new)


@auth.on(ResetPassword, cost=HASHING, prepare=proven)
async def reset_password(
    wish: ResetPassword, meta: Meta, db: Db, wanted: Wanted
) -> Sequence[Message | Effect] | Refusal:
    """Whoever reads the account's mail sets a new password, once; every session ends."""
    held = await accounts.get(db, wish.account_id)
    used = await proofs.take(db, wish.account_id, "reset", wanted.secret, meta.at)
    if held is None or used is None:
        return Refusal("link_invalid")
    return await renewed(db, meta, wish.account_id, wanted.new, "password_reset")
