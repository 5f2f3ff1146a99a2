"""Roles: staff give and take them, each only below himself; every grant is audited."""

from collections.abc import Sequence
from typing import Final

from consumers.auth import security
from consumers.auth.group import auth
from consumers.auth.store import accounts, audit
from consumers.auth.store.accounts import Held
from infra.runtime import Db, Refusal, Unchanged
from schemas.accounts import AccountState
from schemas.envelope import Meta
from schemas.message import Message
from schemas.roles import READER, GrantRole, RevokeRole, RoleCommand, RolesChanged, giving, rank_of, role_of

PERMISSION: Final = "role.grant"


@auth.on(GrantRole)
async def grant_role(wish: GrantRole, meta: Meta, db: Db) -> Sequence[Message] | Refusal | Unchanged:
    """A role of at most the giver's rank, for somebody below him."""
    held = await within_reach(db, wish, meta)
    if isinstance(held, Refusal):
        return held
    if wish.role in held.account.roles:
        return Unchanged(after=held.changed_by)
    return await changed(db, held, (*held.account.roles, wish.role), wish, meta)


@auth.on(RevokeRole)
async def revoke_role(wish: RevokeRole, meta: Meta, db: Db) -> Sequence[Message] | Refusal | Unchanged:
    """Who has no role left may still read."""
    held = await within_reach(db, wish, meta)
    if isinstance(held, Refusal):
        return held
    left = tuple(role for role in held.account.roles if role != wish.role) or (READER,)
    if left == held.account.roles:
        return Unchanged(after=held.changed_by)
    return await changed(db, held, left, wish, meta)


async def within_reach(db: Db, wish: RoleCommand, meta: Meta) -> Held | Refusal:
    """The account, if the actor outranks it and the role is not above him. The system may do all."""
    held = await accounts.get(db, wish.account_id)
    if held is None:
        return Refusal("not_found")
    if meta.actor is None:
        return held
    actor = held.account if meta.actor == wish.account_id else await accounts.seen(db, meta.actor)
    return refused(actor, held.account, wish) or held


def refused(actor: AccountState | None, target: AccountState, wish: RoleCommand) -> Refusal | None:
    """Why this actor may not, as his own account stands now and whatever his token says; or None."""
    if actor is None or actor.standing != "active" or not giving(actor.roles, PERMISSION):
        return Refusal("forbidden")
    mine, role = rank_of(actor.roles), role_of(wish.role)
    if role is None or role.rank > mine or rank_of(target.roles) >= mine:
        return Refusal("rank_too_low")
    return None


async def changed(
    db: Db, held: Held, roles: tuple[str, ...], wish: RoleCommand, meta: Meta
) -> Sequence[Message]:
    """The account with other roles, in its security log and in the audit."""
    state = await accounts.change(
        db, held.account, RolesChanged, meta.id, roles=roles, roles_changed_at=meta.at
    )
    await audit.add(db, wish, meta, granted=wish.role in roles)
    return [state, await security.noted(db, meta, wish.account_id, "roles_changed")]
