"""Changing a password: who knows it may, the other sessions end, and the owner is told."""

import pytest

from consumers.auth import changing_password
from consumers.auth.hashing import hasher
from consumers.auth.store import accounts, proofs, sessions
from infra.runtime import Db, Refusal
from schemas.credentials import ChangePassword, ChangePasswordContents
from schemas.ids import made_by
from schemas.security import SecurityNoted
from schemas.sessions import SessionEnded
from tests.consumers.auth.credentials import (
    ANOTHER,
    HERE,
    PASSWORD,
    a_member,
    a_session,
    mails,
    sealed,
)
from tests.given import ANA, BO, NOON, meta
from tests.sealing import Decided, boxed

SESSION = made_by(ANA, "laptop")
OF = (changing_password.change_password, changing_password.checked)


async def changes(db: Db, current: str = PASSWORD, password: str = ANOTHER, minutes: float = 1) -> Decided:
    """Ana asks for another password."""
    contents = ChangePasswordContents(current=current, password=password, address=HERE)
    own = {"account_id": ANA, "session_id": SESSION}
    return await sealed(db, ChangePassword, contents, OF, minutes, **own)


async def test_the_new_password_is_good_and_the_old_one_is_not(auth_db: Db) -> None:
    await a_member(auth_db)

    assert (await changes(auth_db)).refused is None

    now = await accounts.credentials(auth_db, ANA)
    assert now is not None
    assert (now.password_version, now.password_length) == (2, len(ANOTHER))
    assert await hasher().matches(now.password, ANOTHER)
    assert not await hasher().matches(now.password, PASSWORD)


async def test_the_other_sessions_end_and_this_one_and_those_of_others_stay(auth_db: Db) -> None:
    await a_member(auth_db)
    laptop, phone, tablet = [await a_session(auth_db, name) for name in ("laptop", "phone", "tablet")]
    other = await a_session(auth_db, "laptop", BO)

    ended = [event for event in (await changes(auth_db)).events() if isinstance(event, SessionEnded)]

    assert {event.session_id for event in ended} == {phone, tablet}
    assert {event.end_reason for event in ended} == {"password_changed"}
    assert await sessions.of_account(auth_db, ANA) == [laptop]
    assert await sessions.of_account(auth_db, BO) == [other]


async def test_the_owner_gets_a_letter_and_an_entry_in_the_log(auth_db: Db) -> None:
    await a_member(auth_db)

    changed = await changes(auth_db)

    assert mails(changed) == [{"letter": "password_changed", "to": "ana@example.org", "handle": "ana"}]
    (entry,) = [event for event in changed.events() if isinstance(event, SecurityNoted)]
    assert (entry.kind, entry.session_id, entry.place) == ("password_changed", SESSION, "192.0.2.0/24")


async def test_a_code_that_was_mailed_before_is_good_no_more(auth_db: Db) -> None:
    await a_member(auth_db)
    secret = bytes(32)
    sent = proofs.Proof(ANA, "reset", proofs.digest(secret), "", NOON, NOON.replace(hour=23))
    await proofs.keep(auth_db, sent)
    assert await proofs.get(auth_db, ANA, "reset", secret, NOON) == sent

    await changes(auth_db)

    assert await proofs.get(auth_db, ANA, "reset", secret, NOON) is None


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("fourteen chars", "password_too_short"),
        ("passwordpasswordpassword", "password_common"),
        ("anastasia@example.org", "password_similar"),
    ],
)
async def test_a_password_that_breaks_a_rule_is_refused(auth_db: Db, password: str, reason: str) -> None:
    await a_member(auth_db, handle="anastasia")

    assert (await changes(auth_db, password=password)).refused == reason


async def test_a_wrong_current_password_changes_nothing_and_is_slowed_down_after_five(auth_db: Db) -> None:
    await a_member(auth_db)

    answers = [(await changes(auth_db, current=f"guess number {n}")).refused for n in range(6)]

    assert answers == ["password_wrong"] * 5 + ["too_many_attempts"]
    assert (await changes(auth_db)).refused == "too_many_attempts"
    assert (await changes(auth_db, minutes=3)).refused is None


async def test_a_password_that_changed_meanwhile_must_be_given_again(auth_db: Db) -> None:
    await a_member(auth_db)
    asked = meta(None, minutes=1)
    contents = ChangePasswordContents(current=PASSWORD, password=ANOTHER)
    wish, _ = await boxed(auth_db, ChangePassword, contents, asked, account_id=ANA, session_id=SESSION)
    wanted = await changing_password.checked(wish, asked, auth_db)
    await accounts.set_password(auth_db, ANA, "1$other", 20)

    assert isinstance(wanted, changing_password.Wanted)
    outcome = await changing_password.change_password(wish, asked, auth_db, wanted)

    assert outcome == Refusal("password_wrong")
