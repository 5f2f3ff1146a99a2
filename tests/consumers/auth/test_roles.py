"""Who may give and take which role, and what is kept of it."""

from typing import Any

import pytest

from consumers.auth.roles import grant_role, revoke_role
from consumers.auth.store import accounts
from infra.runtime import Db, Refusal, Unchanged
from schemas.roles import ROLES, GrantRole, RevokeRole, RolesChanged
from schemas.security import SecurityNoted
from tests.accounts import an_account, opened
from tests.given import ANA, BO, NOON, meta

STAFF = ("analyst", "moderator", "admin", "owner")


def give(role: str, account: Any = BO) -> GrantRole:
    return GrantRole(account_id=account, role=role)


def take(role: str, account: Any = BO) -> RevokeRole:
    return RevokeRole(account_id=account, role=role)


async def two(db: Db, mine: str, *theirs: str) -> None:
    """Ana has a role beside that of a member, Bo has these."""
    await opened(db, an_account(roles=("member", mine)))
    await opened(db, an_account(BO, "bo-bo", roles=theirs or ("member",)))


async def roles_of_bo(db: Db) -> tuple[str, ...]:
    held = await accounts.get(db, BO)
    assert held is not None
    return held.account.roles


async def audited(db: Db) -> list[tuple[Any, ...]]:
    rows = await db.fetch("SELECT account_id, role, granted, actor, at FROM role_audit ORDER BY at")
    return [tuple(row) for row in rows]


async def test_a_grant_ends_older_tokens_and_is_in_the_audit_and_in_the_security_log(auth_db: Db) -> None:
    await two(auth_db, "admin")

    outcome = await grant_role(give("moderator"), meta(ANA), auth_db)

    assert isinstance(outcome, list)
    state, entry = outcome
    fields = {"roles": ("member", "moderator"), "roles_changed_at": NOON, "version": 2}
    assert state == RolesChanged(**an_account(BO, "bo-bo").model_dump() | fields)
    assert isinstance(entry, SecurityNoted)
    assert (entry.account_id, entry.kind) == (BO, "roles_changed")
    assert await roles_of_bo(auth_db) == ("member", "moderator")
    assert await audited(auth_db) == [(BO, "moderator", True, ANA, NOON)]


async def test_a_role_that_is_taken_is_audited_and_the_last_one_leaves_a_reader(auth_db: Db) -> None:
    await two(auth_db, "admin")

    await revoke_role(take("member"), meta(ANA), auth_db)

    assert await roles_of_bo(auth_db) == ("reader",)
    assert await audited(auth_db) == [(BO, "member", False, ANA, NOON)]


@pytest.mark.parametrize("theirs", ROLES)
@pytest.mark.parametrize("mine", STAFF)
async def test_nobody_touches_an_equal_or_higher_rank(auth_db: Db, mine: str, theirs: str) -> None:
    await two(auth_db, mine, theirs)

    given = await grant_role(give("member:queue:spam"), meta(ANA), auth_db)
    taken = await revoke_role(take(theirs), meta(ANA), auth_db)

    if "role.grant" not in ROLES[mine].permissions:
        assert given == taken == Refusal("forbidden")
    elif ROLES[theirs].rank >= ROLES[mine].rank:
        assert given == taken == Refusal("rank_too_low")
    else:
        assert theirs not in await roles_of_bo(auth_db) or theirs == "reader"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("mine", ["admin", "owner"])
async def test_nobody_grants_above_his_own_rank(auth_db: Db, mine: str, role: str) -> None:
    await two(auth_db, mine, "analyst:queue:spam")

    outcome = await grant_role(give(role), meta(ANA), auth_db)

    assert (outcome == Refusal("rank_too_low")) == (ROLES[role].rank > ROLES[mine].rank)


async def test_a_role_within_a_scope_ranks_like_one_without_and_gives_nothing_elsewhere(auth_db: Db) -> None:
    await two(auth_db, "admin:queue:spam", "owner:collection:books")

    assert await grant_role(give("reader"), meta(ANA), auth_db) == Refusal("forbidden")
    assert await grant_role(give("reader"), meta(None), auth_db) != Refusal("forbidden")


@pytest.mark.parametrize("standing", ["suspended", "deactivated"])
async def test_staff_who_are_not_in_good_standing_give_nothing(auth_db: Db, standing: Any) -> None:
    await opened(auth_db, an_account(roles=("owner",), standing=standing))
    await opened(auth_db, an_account(BO, "bo-bo"))

    assert await grant_role(give("reader"), meta(ANA), auth_db) == Refusal("forbidden")


async def test_nobody_changes_his_own_roles(auth_db: Db) -> None:
    await two(auth_db, "owner")

    assert await grant_role(give("admin", ANA), meta(ANA), auth_db) == Refusal("rank_too_low")
    assert await revoke_role(take("owner", ANA), meta(ANA), auth_db) == Refusal("rank_too_low")


async def test_who_has_no_account_gives_nothing(auth_db: Db) -> None:
    await opened(auth_db, an_account(BO, "bo-bo"))

    assert await grant_role(give("reader"), meta(ANA), auth_db) == Refusal("forbidden")
    assert await grant_role(give("reader", ANA), meta(BO), auth_db) == Refusal("not_found")


async def test_the_system_makes_the_first_owner(auth_db: Db) -> None:
    await opened(auth_db, an_account(BO, "bo-bo"))

    await grant_role(give("owner"), meta(None), auth_db)

    assert await roles_of_bo(auth_db) == ("member", "owner")
    assert await audited(auth_db) == [(BO, "owner", True, None, NOON)]


async def test_what_is_so_already_changes_nothing(auth_db: Db) -> None:
    await opened(auth_db, an_account())
    changed_by = await opened(auth_db, an_account(BO, "bo-bo"))

    assert await grant_role(give("member"), meta(None), auth_db) == Unchanged(after=changed_by)
    assert await revoke_role(take("admin"), meta(None), auth_db) == Unchanged(after=changed_by)
    assert await audited(auth_db) == []
