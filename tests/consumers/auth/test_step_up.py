"""Stepping up: whoever has proven once more who he is may do dangerous things for ten minutes."""

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from consumers.auth import step_up
from consumers.auth.freshness import FRESH, fresh
from consumers.auth.hashing import hasher
from consumers.auth.store import accounts
from infra.runtime import Db, Refusal
from schemas.factors import Reauthenticate, ReauthenticateContents
from schemas.sessions import SessionSeen
from tests.consumers.auth.owner import Owner, begins_challenge
from tests.consumers.auth.test_signing_in import PASSWORD, signs_in
from tests.given import BO, NOON, meta
from tests.sealing import boxed


@pytest.fixture
async def ana(auth_db: Db) -> Owner:
    """Somebody signed in at noon."""
    return await Owner(auth_db).begins()


async def is_fresh(ana: Owner, minutes: float) -> bool:
    return await fresh(ana.db, ana.session, NOON + timedelta(minutes=minutes)) is None


async def test_a_session_is_fresh_for_ten_minutes(ana: Owner) -> None:
    assert timedelta(minutes=10) == FRESH
    assert await is_fresh(ana, 10)
    assert not await is_fresh(ana, 10.1)
    assert await fresh(ana.db, uuid4(), NOON) == Refusal("step_up_needed")


async def test_an_ended_session_is_not_fresh(ana: Owner) -> None:
    await ana.db.execute("UPDATE session SET ended_at = $1", NOON)

    assert not await is_fresh(ana, 1)


async def test_a_session_that_never_saw_the_second_factor_is_not_fresh(ana: Owner) -> None:
    here, elsewhere = ana.session, UUID((await signs_in(ana.db)).answer["session_id"])

    await ana.enrols_an_app()

    assert await fresh(ana.db, here, NOON) is None
    assert await fresh(ana.db, elsewhere, NOON) == Refusal("step_up_needed")


async def test_a_password_is_enough_without_a_second_factor(ana: Owner) -> None:
    done = await ana.steps_up(20, password=PASSWORD)

    (seen,) = done.events()
    assert isinstance(seen, SessionSeen)
    assert (seen.session_id, seen.assurance, seen.version) == (ana.session, 1, 2)
    assert "refresh_token" not in done.answer
    assert done.answer["session_id"] == str(ana.session)
    assert await is_fresh(ana, 30)


async def test_with_a_second_factor_the_password_is_not_enough(ana: Owner) -> None:
    await ana.enrols_an_app()

    assert (await ana.steps_up(20, password=PASSWORD)).refused == "password_not_enough"
    assert (await ana.steps_up(20, password="something else")).refused == "credentials_wrong"
    assert not await is_fresh(ana, 20)
    assert (await ana.steps_up(20, totp=ana.totp(20))).refused is None
    assert await is_fresh(ana, 30)


async def test_a_code_raises_the_session_to_two_factors(ana: Owner) -> None:
    elsewhere = UUID((await signs_in(ana.db)).answer["session_id"])
    await ana.enrols_an_app()
    ana.session = elsewhere

    done = await ana.steps_up(3, totp=ana.totp(3))

    (seen,) = [each for each in done.events() if isinstance(each, SessionSeen)]
    assert (seen.session_id, seen.assurance) == (elsewhere, 2)
    assert (await ana.steps_up(3, totp=ana.totp(3))).refused == "factor_wrong"


async def test_a_passkey_signs_what_this_session_asked_for(ana: Owner) -> None:
    await ana.enrols_a_passkey()
    asked = (await begins_challenge(ana.db, ana.account, ana.session, 20)).answer["challenge"]
    answer = ana.device.get(json.dumps(asked["passkey"]))

    assert asked["methods"] == ["passkey", "recovery_code"]
    assert (await ana.steps_up(20, passkey=answer)).refused == "factor_wrong"
    other = await begins_challenge(ana.db, ana.account, UUID(await another_session(ana)), 20)
    foreign = await ana.steps_up(20, passkey=answer, challenge=UUID(other.answer["challenge"]["id"]))
    assert foreign.refused == "challenge_invalid"
    challenge = UUID(asked["id"])
    assert (await ana.steps_up(20, passkey=answer, challenge=challenge)).refused is None
    assert (await ana.steps_up(20, passkey=answer, challenge=challenge)).refused == "challenge_invalid"


async def another_session(ana: Owner) -> str:
    """A session of hers that began some other way."""
    other = str(uuid4())
    await ana.db.execute(
        "INSERT INTO session SELECT $1, account_id, device, place, assurance, factor_at, started_at, seen_at,"
        " ended_at, end_reason, $2, refresh_parent, refreshed_at, version, changed_by, partition, due_at"
        " FROM session WHERE session_id = $3",
        *(UUID(other), bytes(32), ana.session),
    )
    return other


async def test_a_recovery_code_steps_up_once(ana: Owner) -> None:
    await ana.enrols_an_app()

    assert (await ana.steps_up(20, recovery_code=ana.codes[0])).refused is None
    assert (await ana.steps_up(20, recovery_code=ana.codes[0])).refused == "factor_wrong"


async def test_nobody_steps_up_the_session_of_somebody_else(ana: Owner) -> None:
    bo = await Owner(ana.db, BO, "bo").begins()
    bo.session = ana.session

    assert (await bo.steps_up(20, password=PASSWORD)).refused == "session_ended"
    stolen = await begins_challenge(ana.db, BO, ana.session)
    assert stolen.refused == "session_ended"


async def test_a_password_that_was_changed_meanwhile_was_the_wrong_one(ana: Owner) -> None:
    password = await hasher().hashed(PASSWORD, bytes(32))
    asked = meta(ana.account, minutes=20)
    contents = ReauthenticateContents(password=PASSWORD)
    wish, _ = await boxed(ana.db, Reauthenticate, contents, asked, session_id=ana.session)
    prepared = await step_up.checked(wish, asked, ana.db)
    assert isinstance(prepared, step_up.Tried)

    await accounts.set_password(ana.db, ana.account, password, 20)

    refused = await step_up.reauthenticate(wish, asked, ana.db, prepared)
    assert refused == Refusal("credentials_wrong")


async def test_guessing_is_slowed_down_after_five(ana: Owner) -> None:
    refused = [(await ana.steps_up(20, password=f"guess number {n}")).refused for n in range(6)]

    assert refused == ["credentials_wrong"] * 5 + ["too_many_attempts"]


async def test_a_session_that_ended_is_not_revived(ana: Owner) -> None:
    await ana.db.execute("UPDATE session SET ended_at = $1", NOON)

    assert (await ana.steps_up(20, password=PASSWORD)).refused == "session_ended"
