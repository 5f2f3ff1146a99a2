"""What people say about themselves, and what they are called."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from consumers.auth import policy, security
from consumers.auth.group import auth
from consumers.auth.handles import skeleton
from consumers.auth.store import accounts
from consumers.auth.store.accounts import Held
from infra.runtime import Db, Refusal, Unchanged
from schemas.accounts import AccountState, FormerHandle
from schemas.envelope import Meta
from schemas.message import Message
from schemas.profile import ChangeHandle, ChangeProfile, HandleChanged, ProfileChanged

SHOWN: Final = frozenset({"display_name", "bio", "links", "language", "time_zone"})
ONCE_IN: Final = timedelta(days=30)
"""How often a handle can be changed."""
LEADS_FOR: Final = timedelta(days=365)
"""How long a handle that was given up still leads to its account, and nobody else gets it."""


@auth.on(ChangeProfile)
async def change_profile(change: ChangeProfile, meta: Meta, db: Db) -> ProfileChanged | Refusal | Unchanged:
    """Its owner changes what is set; a change of nothing is none."""
    found = changeable(await accounts.get(db, change.account_id), meta)
    if isinstance(found, Refusal):
        return found
    given = {name: getattr(change, name) for name in change.model_fields_set & SHOWN}
    fields = {name: value for name, value in given.items() if value is not None}
    if all(getattr(found.account, name) == value for name, value in fields.items()):
        return Unchanged(after=found.changed_by)
    return await accounts.change(db, found.account, ProfileChanged, meta.id, **fields)


@auth.on(ChangeHandle)
async def change_handle(change: ChangeHandle, meta: Meta, db: Db) -> Sequence[Message] | Refusal | Unchanged:
    """Another handle once in 30 days; the old one stays its account's for a year."""
    found = changeable(await accounts.get(db, change.account_id), meta)
    if isinstance(found, Refusal):
        return found
    if change.handle == found.account.handle:
        return Unchanged(after=found.changed_by)
    if refused := _too_soon(found.account, meta) or policy.handle(change.handle):
        return refused
    if not await _claimed(db, found.account, change.handle, meta):
        return Refusal("handle_taken")
    fields = renamed(found.account, change.handle, meta)
    changed = await accounts.change(db, found.account, HandleChanged, meta.id, **fields)
    return [changed, await security.noted(db, meta, change.account_id, "handle_changed")]


def changeable(found: Held | None, meta: Meta) -> Held | Refusal:
    """Only an account in good standing, and only the version that was seen."""
    if found is None:
        return Refusal("not_found")
    if found.account.standing != "active":
        return Refusal(found.account.standing)
    if meta.expected_version not in (None, found.account.version):
        return Refusal("stale", after=found.changed_by)
    return found


def renamed(account: AccountState, handle: str, meta: Meta) -> dict[str, object]:
    """What another handle changes; those that the account had lead to it as long as they are kept for it."""
    former = [*account.former_handles, FormerHandle(handle=account.handle, until=meta.at + LEADS_FOR)]
    kept = tuple(each for each in former if each.until > meta.at and each.handle != handle)
    return {"handle": handle, "handle_changed_at": meta.at, "former_handles": kept}


def _too_soon(account: AccountState, meta: Meta) -> Refusal | None:
    last = account.handle_changed_at
    return Refusal("handle_changed_recently") if last is not None and meta.at < last + ONCE_IN else None


async def _claimed(db: Db, account: AccountState, handle: str, meta: Meta) -> bool:
    """Take the new handle and leave the old one claimed; False when somebody else has the new one."""
    new, old = skeleton(handle), skeleton(account.handle)
    if not await accounts.claim_handle(db, new, handle, account.account_id, None, meta.at):
        return False
    if old != new:
        await accounts.release_handle(db, old, meta.at + LEADS_FOR)
    return True
