"""Another e-mail address: proven by a code that goes there, told to the one before, first and last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from consumers.auth import access, consent, key_pairs, letters, policy, security, vault
from consumers.auth.addresses import deliverable, masked
from consumers.auth.group import HASHING, auth
from consumers.auth.store import accounts, contacts, proofs
from consumers.auth.store.accounts import Credentials
from consumers.auth.store.contacts import Contact
from consumers.auth.store.proofs import Proof
from infra.runtime import Db, Effect, Refusal, Unchanged
from infra.sealing import NONCE_BYTES, Opened, b64, encrypt
from schemas.credentials import ChangeEmail, ChangeEmailContents, ConfirmEmail
from schemas.envelope import Meta
from schemas.message import Message
from schemas.registration import ProofContents

GOOD_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change by who gave the password that the account has; `email` is where mail would go."""

    opened: Opened[ChangeEmailContents]
    seen: Credentials
    email: str
    email_hash: bytes
    place: str


async def checked(wish: ChangeEmail, meta: Meta, db: Db) -> Wanted | Refusal:
    """Open the box, check the password, look at the address."""
    opened = await key_pairs.opened(ChangeEmailContents, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    contents = opened.contents
    seen = await consent.given(db, wish.account_id, contents.password, meta.at)
    if isinstance(seen, Refusal):
        return seen
    if refused := policy.email(contents.email):
        return refused
    found = vault.lookup("email", policy.mailbox(contents.email))
    return Wanted(opened, seen, deliverable(contents.email), found, access.coarse(contents.address))


@auth.on(ChangeEmail, cost=HASHING, prepare=checked)
async def change_email(
    wish: ChangeEmail, meta: Meta, db: Db, wanted: Wanted
) -> Sequence[Message | Effect] | Refusal | Unchanged:
    """A code goes to the new address, or, if it is somebody's, another letter; the old one is told."""
    contact = await contacts.get(db, wish.account_id)
    if not await consent.still(db, wanted.seen) or contact is None:
        return Refusal("password_wrong")
    owner = await accounts.by_email(db, wanted.email_hash)
    if owner is not None and owner.account_id == wish.account_id:
        return Unchanged()
    await proofs.keep(db, _proof(meta, wanted, contact))
    entry = await security.noted(
        db, meta, wish.account_id, "email_change_asked", session_id=wish.session_id, place=wanted.place
    )
    return [entry, *_letters(wanted, contact, known=owner is not None)]


def _proof(meta: Meta, wanted: Wanted, contact: Contact) -> Proof:
    opened, account_id = wanted.opened, contact.account_id
    key, about = letters.data_key(contact.wrapped, account_id), vault.email_about(account_id)
    return Proof(
        account_id=account_id,
        kind="email",
        digest=proofs.digest(opened.draw("proof")),
        place=wanted.place,
        asked_at=meta.at,
        expires_at=meta.at + GOOD_FOR,
        email_hash=wanted.email_hash,
        email=encrypt(key, opened.draw("email", NONCE_BYTES), wanted.email.encode(), about),
        noted=True,
    )


def _letters(wanted: Wanted, contact: Contact, *, known: bool) -> list[Effect]:
    """One to the new address, which holds a code only if it is nobody's; one to the old."""
    opened = wanted.opened
    kind = "known_email" if known else "confirm_email"
    token = "" if known else b64(contact.account_id.bytes + opened.draw("proof"))
    to_new = letters.letter(kind, contact, opened.draw("new", NONCE_BYTES), to=wanted.email, token=token)
    new, nonce = masked(wanted.email), opened.draw("old", NONCE_BYTES)
    return [to_new, letters.letter("email_change_asked", contact, nonce, new=new)]


@auth.on(ConfirmEmail, prepare=key_pairs.open_box)
async def confirm_email(
    wish: ConfirmEmail, meta: Meta, db: Db, seen: Opened[ProofContents]
) -> Sequence[Message | Effect] | Refusal:
    """Whoever has the code reads the new address; what was mailed to the old one is good no more."""
    held, contact = await accounts.get(db, wish.account_id), await contacts.get(db, wish.account_id)
    proof = await proofs.take(db, wish.account_id, "email", _secret(seen), meta.at)
    if held is None or contact is None or proof is None or proof.email is None or proof.email_hash is None:
        return Refusal("link_invalid")
    if await accounts.by_email(db, proof.email_hash) is not None:
        return Refusal("link_invalid")
    await contacts.change(db, wish.account_id, proof.email_hash, proof.email)
    await proofs.forget(db, wish.account_id)
    place, nonce = access.coarse(seen.contents.address), seen.draw("letter", NONCE_BYTES)
    new = masked(letters.address_of(replace(contact, email=proof.email)))
    entry = await security.noted(db, meta, wish.account_id, "email_changed", place=place)
    return [entry, letters.letter("email_changed", contact, nonce, new=new)]


def _secret(seen: Opened[ProofContents]) -> bytes:
    """The secret half of a code; nothing for what is none."""
    return policy.unb64_or_nothing(seen.contents.secret)
