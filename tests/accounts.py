"""Accounts that are there already, for tests that begin after registration."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from consumers.auth.handles import skeleton
from consumers.auth.store import accounts
from infra.runtime import Db
from schemas.accounts import AccountOpened
from tests.given import ANA, NOON


def an_account(account_id: UUID = ANA, handle: str = "ana", **fields: Any) -> AccountOpened:
    """The state of an account that began at noon."""
    return AccountOpened(account_id=account_id, handle=handle, opened_at=NOON, **{"version": 1, **fields})


async def opened(db: Db, account: AccountOpened) -> UUID:
    """Keep an account without a password as identity does; gives the command that made it."""
    by, nothing = uuid4(), accounts.Secrets(account.account_id.bytes, b"", "", 0)
    assert await accounts.add(db, account, nothing, by)
    earlier = NOON - timedelta(days=1)
    await accounts.claim_handle(
        db, skeleton(account.handle), account.handle, account.account_id, None, earlier
    )
    return by
