"""Accounts as everybody sees them, and as their owner does."""

from consumers.projections.accounts import store
from infra.runtime import Batch, Db, Projection
from schemas.accounts import AccountGone, AccountOpened, AccountState
from schemas.profile import HandleChanged, ProfileChanged
from schemas.topics import ACCOUNT_EVENTS

accounts = Projection("accounts", ACCOUNT_EVENTS)


@accounts.on(AccountOpened, ProfileChanged, HandleChanged)
async def show(batch: Batch[AccountState], db: Db) -> None:
    """The newest state of each account."""
    await store.show(db, [item.message for item in batch])


@accounts.on(AccountGone)
async def drop(batch: Batch[AccountGone], db: Db) -> None:
    """An account that is gone has no page."""
    await store.drop(db, [item.message for item in batch])
