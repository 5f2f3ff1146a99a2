"""Accounts as everybody sees them, and as their owner does; with their security logs."""

from consumers.projections.accounts import security_log, store
from infra.runtime import Batch, Db, Projection
from schemas.accounts import (
    AccountDeactivated,
    AccountDeletionAsked,
    AccountDeletionCancelled,
    AccountGone,
    AccountOpened,
    AccountReactivated,
    AccountState,
)
from schemas.profile import HandleChanged, ProfileChanged
from schemas.roles import RolesChanged
from schemas.security import SecurityForgotten, SecurityNoted
from schemas.topics import ACCOUNT_EVENTS, ACCOUNT_SECURITY

accounts = Projection("accounts", ACCOUNT_EVENTS, ACCOUNT_SECURITY)


@accounts.on(
    AccountOpened,
    ProfileChanged,
    HandleChanged,
    AccountDeactivated,
    AccountReactivated,
    AccountDeletionAsked,
    AccountDeletionCancelled,
    RolesChanged,
)
async def show(batch: Batch[AccountState], db: Db) -> None:
    """The newest state of each account."""
    await store.show(db, [item.message for item in batch])


@accounts.on(AccountGone)
async def drop(batch: Batch[AccountGone], db: Db) -> None:
    """An account that is gone has no page."""
    await store.drop(db, [item.message for item in batch])


@accounts.on(SecurityNoted)
async def note(batch: Batch[SecurityNoted], db: Db) -> None:
    """Each entry of a security log; also of an account that is not known yet."""
    await security_log.note(db, [item.message for item in batch])


@accounts.on(SecurityForgotten)
async def forget(batch: Batch[SecurityForgotten], db: Db) -> None:
    """Entries that are too old."""
    await security_log.forget(db, [item.message for item in batch])
