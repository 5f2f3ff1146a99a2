"""Opening an account: a registration waits for the proof of its e-mail address, then the account begins.

Whether an address has an account already is told to that address alone: nothing else depends on it.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consumers.auth import key_pairs, letters, policy, vault
from consumers.auth.addresses import deliverable
from consumers.auth.group import HASHING, auth
from consumers.auth.handles import skeleton
from consumers.auth.hashing import hasher
from consumers.auth.store import accounts, proofs, registrations
from consumers.auth.store.contacts import Contact
from consumers.auth.store.registrations import Registration
from infra.runtime import Db, Effect, Refusal, Reply
from infra.sealing import NONCE_BYTES, Opened, b64, encrypt
from schemas.accounts import AccountOpened
from schemas.envelope import Meta
from schemas.message import Message
from schemas.registration import ConfirmRegistration, ProofContents, Register, RegisterContents

CONFIRMED_WITHIN: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A registration that breaks no rule, its password hashed."""

    opened: Opened[RegisterContents]
    password: str


async def checked(wish: Register, meta: Meta, db: Db) -> Wanted | Refusal:
    """Open the box, look at the rules, hash the password."""
    opened = await key_pairs.opened(RegisterContents, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    contents = opened.contents
    names = (contents.handle, contents.email)
    refused = (
        policy.handle(contents.handle)
        or policy.email(contents.email)
        or policy.password(contents.password, names)
    )
    if refused is not None:
        return refused
    return Wanted(opened, await hasher().hashed(contents.password, opened.draw("salt")))


@auth.on(Register, cost=HASHING, prepare=checked)
async def register(wish: Register, meta: Meta, db: Db, wanted: Wanted) -> Effect | Refusal:
    """A handle is reserved for a day, and a mail goes out; to a known address it is another mail."""
    opened, contents = wanted.opened, wanted.opened.contents
    bare, until = skeleton(contents.handle), meta.at + CONFIRMED_WITHIN
    if not await accounts.claim_handle(db, bare, contents.handle, wish.account_id, until, meta.at):
        return Refusal("handle_taken")
    found = vault.lookup("email", policy.mailbox(contents.email))
    known = await accounts.by_email(db, found) is not None
    secret, contact = opened.draw("proof"), _contact(wish, opened)
    await accounts.keep_data_key(db, wish.account_id, contact.wrapped)
    await registrations.add(db, _registration(wanted, contact, found, None if known else secret, until))
    kind, nonce = (
        "known_registration" if known else "confirm_registration",
        opened.draw("letter", NONCE_BYTES),
    )
    return letters.letter(kind, contact, nonce, token=b64(wish.account_id.bytes + secret))


def _contact(wish: Register, opened: Opened[RegisterContents]) -> Contact:
    """Where mail will go, under a new data key."""
    key, contents = opened.draw("data key"), opened.contents
    wrapping, about = opened.draw("wrapping", NONCE_BYTES), vault.data_key_about(wish.account_id)
    nonce, email = opened.draw("email", NONCE_BYTES), deliverable(contents.email).encode()
    sealed = encrypt(key, nonce, email, vault.email_about(wish.account_id))
    return Contact(wish.account_id, contents.handle, "", vault.wrap(wrapping, key, about), sealed)


def _registration(
    wanted: Wanted, contact: Contact, email_hash: bytes, secret: bytes | None, until: datetime
) -> Registration:
    return Registration(
        account_id=contact.account_id,
        handle=contact.handle,
        skeleton=skeleton(contact.handle),
        email_hash=email_hash,
        email=contact.email,
        password=wanted.password,
        password_length=len(wanted.opened.contents.password),
        proof=proofs.digest(secret) if secret else None,
        expires_at=until,
    )


@auth.on(ConfirmRegistration, prepare=key_pairs.open_box)
async def confirm_registration(
    wish: ConfirmRegistration, meta: Meta, db: Db, opened: Opened[ProofContents]
) -> Sequence[Message | Reply] | Refusal:
    """Who has what was sent to the address owns it; the account begins, once."""
    found = await registrations.get(db, wish.account_id)
    if found is None or found.expires_at <= meta.at or not _proves(found, opened.contents.secret):
        return Refusal("link_invalid")
    account = AccountOpened(account_id=found.account_id, handle=found.handle, opened_at=meta.at, version=1)
    secrets = accounts.Secrets(found.email_hash, found.email, found.password, found.password_length)
    if not await accounts.add(db, account, secrets, meta.id):
        return Refusal("link_invalid")
    await accounts.claim_handle(db, found.skeleton, found.handle, found.account_id, None, meta.at)
    await registrations.remove(db, found.account_id)
    return [account, Reply(opened.answer({"account_id": str(found.account_id), "handle": found.handle}))]


def _proves(found: Registration, secret: str) -> bool:
    return found.proof is not None and hmac.compare_digest(
        found.proof, proofs.digest(policy.unb64_or_nothing(secret))
    )
