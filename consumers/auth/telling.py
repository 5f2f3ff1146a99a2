"""Telling an account's owner what was done to it: by mail, wherever he is signed in."""

from uuid import UUID

from consumers.auth import letters
from consumers.auth.store import contacts
from infra.runtime import Db, Effect


async def told(db: Db, kind: str, account_id: UUID, nonce: bytes, **values: str) -> list[Effect]:
    """A mail to the account's address; none without one. `nonce` is random, `values` fill the text."""
    contact = await contacts.get(db, account_id)
    return [] if contact is None else [letters.letter(kind, contact, nonce, **values)]
