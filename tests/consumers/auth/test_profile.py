"""What people say about themselves, and what they are called."""

from datetime import timedelta
from typing import Any

import pytest

from consumers.auth.handles import skeleton
from consumers.auth.profile import LEADS_FOR, ONCE_IN, change_handle, change_profile
from consumers.auth.store import accounts
from infra.runtime import Db, Refusal, Unchanged
from schemas.accounts import FormerHandle
from schemas.profile import ChangeHandle, ChangeProfile, HandleChanged, ProfileChanged
from tests.accounts import an_account, opened
from tests.given import ANA, BO, NOON, meta

DAY = 24 * 60


def wish(**fields: Any) -> ChangeProfile:
    return ChangeProfile(account_id=ANA, **fields)


def rename(handle: str, account: Any = ANA) -> ChangeHandle:
    return ChangeHandle(account_id=account, handle=handle)


def state_of(outcome: Any) -> HandleChanged:
    """The new state, which comes with an entry of the security log."""
    state, entry = outcome
    assert isinstance(state, HandleChanged)
    assert (entry.account_id, entry.kind) == (state.account_id, "handle_changed")
    return state


async def test_what_is_set_changes_and_the_rest_stays(auth_db: Db) -> None:
    await opened(auth_db, an_account(bio="Reads."))

    outcome = await change_profile(wish(display_name="Ana", links=["https://ana.example"]), meta(), auth_db)

    shown = {"display_name": "Ana", "bio": "Reads.", "links": ("https://ana.example",)}
    assert outcome == ProfileChanged(**an_account().model_dump() | shown | {"version": 2})
    held = await accounts.get(auth_db, ANA)
    assert held is not None
    assert held.account.model_dump() == outcome.model_dump()


async def test_a_change_of_nothing_is_none(auth_db: Db) -> None:
    await opened(auth_db, an_account())
    first = meta()
    await change_profile(wish(language="pt-BR"), first, auth_db)

    assert await change_profile(wish(language="pt-br"), meta(), auth_db) == Unchanged(after=first.id)


async def test_a_change_of_a_version_that_is_gone_is_refused(auth_db: Db) -> None:
    await opened(auth_db, an_account())
    first = meta()
    await change_profile(wish(bio="one"), first, auth_db)

    outcome = await change_profile(wish(bio="two"), meta(expected_version=1), auth_db)

    assert outcome == Refusal("stale", after=first.id)


@pytest.mark.parametrize("standing", ["suspended", "deactivated"])
async def test_who_is_not_in_good_standing_changes_nothing(auth_db: Db, standing: Any) -> None:
    await opened(auth_db, an_account(standing=standing))

    assert await change_profile(wish(bio="x"), meta(), auth_db) == Refusal(standing)
    assert await change_handle(rename("anna"), meta(), auth_db) == Refusal(standing)


async def test_there_is_nothing_to_change_without_an_account(auth_db: Db) -> None:
    assert await change_profile(wish(bio="x"), meta(), auth_db) == Refusal("not_found")


async def test_a_new_handle_leaves_the_old_one_leading_to_the_account_for_a_year(auth_db: Db) -> None:
    await opened(auth_db, an_account())

    outcome = await change_handle(rename("anna"), meta(), auth_db)

    former = FormerHandle(handle="ana", until=NOON + LEADS_FOR)
    changes = {"handle": "anna", "handle_changed_at": NOON, "former_handles": (former,), "version": 2}
    assert state_of(outcome) == HandleChanged(**an_account().model_dump() | changes)
    held = await accounts.get(auth_db, ANA)
    assert held is not None
    assert held.account.former_handles == (former,)


async def test_an_old_handle_is_nobody_elses_until_the_year_is_over(auth_db: Db) -> None:
    await opened(auth_db, an_account())
    await opened(auth_db, an_account(account_id=BO, handle="bo-bo"))
    await change_handle(rename("anna"), meta(), auth_db)

    early = await change_handle(rename("a.n.a", BO), meta(BO, minutes=364 * DAY), auth_db)
    late = await change_handle(rename("a.n.a", BO), meta(BO, minutes=365 * DAY), auth_db)

    assert early == Refusal("handle_taken")
    assert state_of(late).handle == "a.n.a"


async def test_a_handle_that_looks_the_same_as_before_keeps_the_old_one_leading_to_the_account(
    auth_db: Db,
) -> None:
    await opened(auth_db, an_account(handle="ana.b"))

    outcome = await change_handle(rename("anab"), meta(), auth_db)

    assert [each.handle for each in state_of(outcome).former_handles] == ["ana.b"]
    claim = await auth_db.fetchrow(
        "SELECT handle, until FROM handle_claim WHERE skeleton = $1", skeleton("anab")
    )
    assert claim is not None
    assert tuple(claim) == ("anab", None)


async def test_a_handle_changes_once_in_30_days(auth_db: Db) -> None:
    await opened(auth_db, an_account())
    await change_handle(rename("anna"), meta(), auth_db)
    days = ONCE_IN / timedelta(minutes=1)

    soon = await change_handle(rename("ana"), meta(minutes=days - 1), auth_db)
    later = await change_handle(rename("ana"), meta(minutes=days), auth_db)

    assert soon == Refusal("handle_changed_recently")
    assert [each.handle for each in state_of(later).former_handles] == [
        "anna"
    ]  # one's own old handle is one's own


@pytest.mark.parametrize(
    ("handle", "reason"),
    [("adm1n", "handle_reserved"), ("p1ckly-help", "handle_reserved"), ("b0b", "handle_taken")],
)
async def test_reserved_handles_and_taken_ones_and_what_looks_like_them_are_refused(
    auth_db: Db, handle: str, reason: str
) -> None:
    await opened(auth_db, an_account())
    await opened(auth_db, an_account(account_id=BO, handle="bob"))

    outcome = await change_handle(rename(handle), meta(), auth_db)

    assert outcome == Refusal(reason)


async def test_the_same_handle_is_no_change(auth_db: Db) -> None:
    changed_by = await opened(auth_db, an_account())

    assert await change_handle(rename("ana"), meta(), auth_db) == Unchanged(after=changed_by)
