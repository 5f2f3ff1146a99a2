"""Leaving: sessions end, signing in brings a deactivated account back, and a deletion waits for 14 days."""

from datetime import timedelta

from consumers.auth import leaving
from consumers.auth.store import accounts, sessions
from infra.runtime import Db, Outcome, Refusal, Unchanged
from schemas.accounts import (
    AccountDeactivated,
    AccountDeletionAsked,
    AccountDeletionCancelled,
    AccountReactivated,
    AccountState,
)
from schemas.leaving import AskDeletion, CancelDeletion, Deactivate, Reactivate
from schemas.security import SecurityNoted
from schemas.sessions import SessionEnded, SessionStarted
from tests.consumers.auth.credentials import a_member, a_session, mails
from tests.consumers.auth.test_signing_in import signs_in
from tests.given import ANA, NOON, meta
from tests.sealing import Decided

DAYS = 24 * 60
DUE = NOON + timedelta(minutes=1, days=14)


async def deactivates(db: Db, minutes: float = 1) -> Outcome:
    outcome: Outcome = await leaving.deactivate(
        Deactivate(account_id=ANA), meta(minutes=minutes), db, bytes(12)
    )
    return outcome


async def asks(db: Db, minutes: float = 1) -> Outcome:
    outcome: Outcome = await leaving.ask_deletion(
        AskDeletion(account_id=ANA), meta(minutes=minutes), db, bytes(12)
    )
    return outcome


async def cancels(db: Db, minutes: float = 2) -> Outcome:
    outcome: Outcome = await leaving.cancel_deletion(
        CancelDeletion(account_id=ANA), meta(minutes=minutes), db
    )
    return outcome


async def state(db: Db) -> AccountState:
    held = await accounts.get(db, ANA)
    assert held is not None
    return held.account


def kinds(outcome: Outcome) -> list[str]:
    """What the security log gets."""
    return [each.kind for each in Decided(outcome).events() if isinstance(each, SecurityNoted)]


async def test_deactivating_ends_every_session_and_tells_the_owner(auth_db: Db) -> None:
    await a_member(auth_db)
    ids = {await a_session(auth_db, name) for name in ("laptop", "phone")}

    outcome = await deactivates(auth_db)

    first, *others = Decided(outcome).events()
    assert isinstance(first, AccountDeactivated)
    assert (first.standing, first.version) == ("deactivated", 2)
    assert {each.session_id for each in others if isinstance(each, SessionEnded)} == ids
    assert await sessions.of_account(auth_db, ANA) == []
    assert kinds(outcome) == ["deactivated"]
    assert [(mail["letter"], mail["to"]) for mail in mails(Decided(outcome))] == [
        ("deactivated", "ana@example.org")
    ]


async def test_deactivating_twice_is_once(auth_db: Db) -> None:
    await a_member(auth_db)
    await deactivates(auth_db)

    assert isinstance(await deactivates(auth_db), Unchanged)


async def test_signing_in_brings_the_account_back(auth_db: Db) -> None:
    await a_member(auth_db)
    await deactivates(auth_db)

    signed_in = await signs_in(auth_db, minutes=2)

    assert [type(each) for each in signed_in.events()] == [
        AccountReactivated,
        SecurityNoted,
        SessionStarted,
        SecurityNoted,
    ]
    assert kinds(signed_in.outcome) == ["reactivated", "signed_in"]
    assert (await state(auth_db)).standing == "active"


async def test_a_token_that_is_still_good_brings_it_back_too_and_once(auth_db: Db) -> None:
    await a_member(auth_db)
    await deactivates(auth_db)
    wish = Reactivate(account_id=ANA)

    outcome = await leaving.reactivate(wish, meta(minutes=2), auth_db)

    assert isinstance(Decided(outcome).events()[0], AccountReactivated)
    assert isinstance(await leaving.reactivate(wish, meta(minutes=3), auth_db), Unchanged)


async def test_a_suspended_account_is_not_deactivated(auth_db: Db) -> None:
    await a_member(auth_db)
    suspended = (await state(auth_db)).model_copy(update={"standing": "suspended", "version": 2})
    await accounts.save(auth_db, suspended, meta().id)

    assert await deactivates(auth_db) == Refusal("suspended")


async def test_a_deletion_is_due_in_14_days_and_ends_every_session(auth_db: Db) -> None:
    await a_member(auth_db)
    await a_session(auth_db, "laptop")

    outcome = await asks(auth_db)

    first = Decided(outcome).events()[0]
    assert isinstance(first, AccountDeletionAsked)
    assert first.deletion_due_at == DUE
    assert await auth_db.fetchval("SELECT due_at FROM account") == DUE
    assert await sessions.of_account(auth_db, ANA) == []
    assert kinds(outcome) == ["deletion_asked"]
    (mail,) = mails(Decided(outcome))
    assert (mail["letter"], mail["due"]) == ("deletion_asked", "15 June 2026")


async def test_asking_again_moves_no_date(auth_db: Db) -> None:
    await a_member(auth_db)
    await asks(auth_db)

    assert isinstance(await asks(auth_db, minutes=3 * DAYS), Unchanged)
    assert (await state(auth_db)).deletion_due_at == DUE


async def test_signing_in_meanwhile_is_possible_and_cancels_nothing(auth_db: Db) -> None:
    await a_member(auth_db)
    await asks(auth_db)

    assert (await signs_in(auth_db, minutes=2)).refused is None
    assert (await state(auth_db)).deletion_due_at == DUE


async def test_a_deletion_can_be_cancelled_until_it_is_due(auth_db: Db) -> None:
    await a_member(auth_db)
    await asks(auth_db)

    assert await cancels(auth_db, minutes=14 * DAYS + 1) == Refusal("deletion_due")
    outcome = await cancels(auth_db, minutes=14 * DAYS)

    assert isinstance(Decided(outcome).events()[0], AccountDeletionCancelled)
    assert kinds(outcome) == ["deletion_cancelled"]
    assert (await state(auth_db)).deletion_due_at is None
    assert isinstance(await cancels(auth_db, minutes=14 * DAYS), Unchanged)
