"""Telling an account's owner what was done to the factors: by mail, wherever he is signed in."""

from uuid import UUID

from consumers.auth import letters, vault
from consumers.auth.store import contacts
from infra.runtime import Db, Effect
from infra.sealing import decrypt


async def told(db: Db, kind: str, account_id: UUID, nonce: bytes, **values: str) -> list[Effect]:
    """A mail to the account's address; none without one. `nonce` is random, `values` fill the text."""
    contact = await contacts.get(db, account_id)
    if contact is None:
        return []
    key = letters.data_key(contact.wrapped, account_id)
    to = decrypt(key, contact.email, vault.email_about(account_id)).decode()
    mail = letters.letter(
        kind, account_id, contact.handle, to, wrapped=contact.wrapped, nonce=nonce, **values
    )
    return [mail]
