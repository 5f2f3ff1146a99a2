"""The mail of a registration once more, for who lost it; whether one waits for an address shows nowhere."""

from consumers.auth import key_pairs, letters, policy, vault
from consumers.auth.group import auth
from consumers.auth.resetting_password import mailings
from consumers.auth.store import accounts, guesses, proofs, registrations
from consumers.auth.store.contacts import Contact
from infra.runtime import Db, Effect, Refusal
from infra.sealing import NONCE_BYTES, Opened, b64
from schemas.credentials import EmailContents, ResendConfirmation
from schemas.envelope import Meta


async def opened(wish: ResendConfirmation, meta: Meta, db: Db) -> Opened[EmailContents] | Refusal:
    """Open the box and count: nobody's mailbox is to be filled."""
    seen = await key_pairs.opened(EmailContents, wish, meta, db)
    if isinstance(seen, Refusal):
        return seen
    contents = seen.contents
    counted = mailings("resend", policy.mailbox(contents.email), contents.address)
    return seen if await guesses.admit(db, counted, meta.at) else Refusal("too_many_attempts")


@auth.on(ResendConfirmation, prepare=opened)
async def resend_confirmation(
    wish: ResendConfirmation, meta: Meta, db: Db, seen: Opened[EmailContents]
) -> Effect:
    """A new code for the newest registration that waits for this address; the one before is good no more."""
    found = vault.lookup("email", policy.mailbox(seen.contents.email))
    secret = seen.draw("proof")
    waiting = await registrations.renew(db, found, proofs.digest(secret), meta.at)
    contact = letters.nobody(seen, waiting.account_id if waiting else wish.resend_id)
    wrapped = await accounts.data_key(db, contact.account_id)
    if waiting is not None and wrapped is not None:
        contact = Contact(waiting.account_id, waiting.handle, "", wrapped, waiting.email)
    token, nonce = b64(contact.account_id.bytes + secret), seen.draw("letter", NONCE_BYTES)
    return letters.letter("confirm_registration", contact, nonce, token=token)
