"""Another password, by who knows the current one; and what follows from a new password, whoever set it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from consumers.auth import access, consent, key_pairs, letters, policy, security, sessions
from consumers.auth.group import HASHING, auth
from consumers.auth.hashing import hasher
from consumers.auth.store import accounts, contacts, factors, proofs
from consumers.auth.store.accounts import Credentials
from consumers.auth.telling import told
from infra.runtime import Db, Effect, Refusal
from infra.sealing import NONCE_BYTES, Opened
from schemas.credentials import ChangePassword, ChangePasswordContents, ResetPasswordContents
from schemas.envelope import Meta
from schemas.message import Message
from schemas.security import SecurityKind

C = TypeVar("C", ChangePasswordContents, ResetPasswordContents)


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that breaks no rule, hashed; `length` in characters."""

    hashed: str
    length: int
    nonce: bytes
    place: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change by who gave the password that the account has."""

    seen: Credentials
    new: NewPassword


async def acceptable(db: Db, account_id: UUID, opened: Opened[C]) -> NewPassword | Refusal:
    """Look at the rules and hash; for `prepare`."""
    wanted, contact = opened.contents.password, await contacts.get(db, account_id)
    names: Sequence[str] = ()
    if contact is not None:
        names = (contact.handle, contact.display_name, letters.address_of(contact))
    second_factor = bool(await factors.confirmed(db, account_id))
    if refused := policy.password(wanted, names, second_factor=second_factor):
        return refused
    hashed = await hasher().hashed(wanted, opened.draw("salt"))
    nonce, place = opened.draw("letter", NONCE_BYTES), access.coarse(opened.contents.address)
    return NewPassword(hashed, len(wanted), nonce, place)


async def checked(wish: ChangePassword, meta: Meta, db: Db) -> Wanted | Refusal:
    """Open the box, check the current password, look at the new one."""
    opened = await key_pairs.opened(ChangePasswordContents, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    seen = await consent.given(db, wish.account_id, opened.contents.current, meta.at)
    if isinstance(seen, Refusal):
        return seen
    new = await acceptable(db, wish.account_id, opened)
    return new if isinstance(new, Refusal) else Wanted(seen, new)


@auth.on(ChangePassword, cost=2 * HASHING, prepare=checked)
async def change_password(
    wish: ChangePassword, meta: Meta, db: Db, wanted: Wanted
) -> Sequence[Message | Effect] | Refusal:
    """Its owner, who knows the password, takes another one; the sessions beside this one end."""
    if not await consent.still(db, wanted.seen):
        return Refusal("password_wrong")
    return await renewed(db, meta, wish.account_id, wanted.new, "password_changed", but=wish.session_id)


async def renewed(
    db: Db, meta: Meta, account_id: UUID, new: NewPassword, kind: SecurityKind, *, but: UUID | None = None
) -> Sequence[Message | Effect]:
    """Keep it. Sessions end, what was mailed is good no more, and the owner gets to know."""
    await accounts.set_password(db, account_id, new.hashed, new.length)
    await proofs.forget(db, account_id)
    ended = await sessions.end_all(db, account_id, "password_changed", meta, but=but)
    entry = await security.noted(db, meta, account_id, kind, session_id=but, place=new.place)
    return [*ended, entry, *await told(db, "password_changed", account_id, new.nonce)]
