"""Leaving: an account is put away until its owner signs in, or is to be deleted after 14 days of grace.

In that time its owner may sign in; that brings a deactivated account back, but cancels no deletion. What is
due is erased by privacy; here only the time is kept.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from consumers.auth import security, sessions
from consumers.auth.group import auth
from consumers.auth.store import accounts
from consumers.auth.store.accounts import Held
from consumers.auth.telling import told
from infra.runtime import Db, Effect, Refusal, Unchanged
from infra.sealing import new_nonce
from schemas.accounts import (
    AccountDeactivated,
    AccountDeletionAsked,
    AccountDeletionCancelled,
    AccountReactivated,
    AccountState,
)
from schemas.envelope import Meta
from schemas.leaving import AskDeletion, CancelDeletion, Deactivate, LeavingCommand, Reactivate
from schemas.message import Message
from schemas.security import SecurityKind

GRACE: Final = timedelta(days=14)


async def nonce(_wish: LeavingCommand, _meta: Meta, _db: Db) -> bytes:
    """Random bytes for the letter."""
    return new_nonce()


@auth.on(Deactivate, prepare=nonce)
async def deactivate(
    wish: Deactivate, meta: Meta, db: Db, random: bytes
) -> Sequence[Message | Effect] | Refusal | Unchanged:
    """Its owner puts an account away; every session ends."""
    held = await accounts.get(db, wish.account_id)
    if held is None or held.account.standing == "suspended":
        return Refusal("not_found" if held is None else "suspended")
    if held.account.standing == "deactivated":
        return Unchanged(after=held.changed_by)
    done = await accounts.change(db, held.account, AccountDeactivated, meta.id, standing="deactivated")
    return [done, *await gone_for_now(db, meta, held, "deactivated", random)]


@auth.on(Reactivate)
async def reactivate(
    wish: Reactivate, meta: Meta, db: Db
) -> Sequence[Message | Effect] | Refusal | Unchanged:
    """Its owner has it back."""
    held = await accounts.get(db, wish.account_id)
    if held is None:
        return Refusal("not_found")
    _, events = await back(db, meta, held.account)
    return events or Unchanged(after=held.changed_by)


@auth.on(AskDeletion, prepare=nonce)
async def ask_deletion(
    wish: AskDeletion, meta: Meta, db: Db, random: bytes
) -> Sequence[Message | Effect] | Refusal | Unchanged:
    """Its owner wants it deleted, in 14 days; every session ends. Asking again moves no date."""
    held = await accounts.get(db, wish.account_id)
    if held is None:
        return Refusal("not_found")
    if held.account.deletion_due_at is not None:
        return Unchanged(after=held.changed_by)
    due = meta.at + GRACE
    done = await accounts.change(db, held.account, AccountDeletionAsked, meta.id, deletion_due_at=due)
    return [done, *await gone_for_now(db, meta, held, "deletion_asked", random, due=f"{due:%d %B %Y}")]


@auth.on(CancelDeletion)
async def cancel_deletion(
    wish: CancelDeletion, meta: Meta, db: Db
) -> Sequence[Message | Effect] | Refusal | Unchanged:
    """Its owner keeps it after all, while there is time."""
    held = await accounts.get(db, wish.account_id)
    if held is None:
        return Refusal("not_found")
    due = held.account.deletion_due_at
    if due is None:
        return Unchanged(after=held.changed_by)
    if due <= meta.at:
        return Refusal("deletion_due")
    done = await accounts.change(db, held.account, AccountDeletionCancelled, meta.id, deletion_due_at=None)
    return [done, await security.noted(db, meta, wish.account_id, "deletion_cancelled")]


async def back(db: Db, meta: Meta, account: AccountState) -> tuple[AccountState, Sequence[Message]]:
    """The account, no longer put away, and what to tell of that."""
    if account.standing != "deactivated":
        return account, []
    done = await accounts.change(db, account, AccountReactivated, meta.id, standing="active")
    return done, [done, await security.noted(db, meta, account.account_id, "reactivated")]


async def gone_for_now(
    db: Db, meta: Meta, held: Held, kind: SecurityKind, random: bytes, **values: str
) -> list[Message | Effect]:
    """Every session ends, and the owner gets to know."""
    account_id = held.account.account_id
    ended = await sessions.end_all(db, account_id, "ended_by_owner", meta)
    entry = await security.noted(db, meta, account_id, kind)
    return [*ended, entry, *await told(db, kind, account_id, random, **values)]
