"""Somebody who is signed in gives the password once more: a session that was left open is not enough."""

from datetime import datetime
from typing import Final
from uuid import UUID

from consumers.auth.hashing import hasher
from consumers.auth.store import accounts, guesses
from consumers.auth.store.accounts import Credentials
from consumers.auth.store.guesses import Guess
from infra.runtime import Db, Refusal

FREE: Final = 5


def guess_at(account_id: UUID) -> Guess:
    """The counter of guesses from inside."""
    return Guess.at("consent", str(account_id), FREE)


async def given(db: Db, account_id: UUID, password: str, at: datetime) -> Credentials | Refusal:
    """Count the guess and check the password; for `prepare`. The handler forgives when it is all right."""
    if not await guesses.admit(db, [guess_at(account_id)], at):
        return Refusal("too_many_attempts")
    return await right(db, account_id, password) or Refusal("password_wrong")


async def right(db: Db, account_id: UUID, password: str) -> Credentials | None:
    """The account's credentials, if this is its password; for nobody's it takes as long."""
    found = await accounts.credentials(db, account_id)
    fits = await hasher().matches(found.password if found else None, password)
    return found if fits else None


async def still(db: Db, seen: Credentials) -> bool:
    """Whether the password is the one that was checked; locks the account and forgives the guesses."""
    held = await accounts.get(db, seen.account_id)
    await guesses.forgive(db, [guess_at(seen.account_id)])
    return held is not None and held.password_version == seen.password_version
