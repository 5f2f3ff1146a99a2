"""Signing in with a second factor, and with a passkey alone: each proof once, each challenge once."""

import asyncio
import json

import asyncpg
import pytest

from consumers.auth import key_pairs, second_factor
from consumers.auth.store import accounts, challenges, keys
from consumers.auth.store.challenges import Challenge
from infra.runtime import Db, Refusal
from infra.settings import Settings
from schemas import factors as contract
from schemas.factors import FactorsChanged
from schemas.security import SecurityNoted
from schemas.sessions import SessionStarted
from tests.authenticator import Fault, NotAllowedError
from tests.consumers.auth.owner import ADDRESS, Owner, answers, begins_challenge
from tests.consumers.auth.test_signing_in import signs_in
from tests.given import BO, NOON, meta
from tests.sealing import boxed


@pytest.fixture
async def ana(auth_db: Db) -> Owner:
    """Somebody with an authenticator app and a passkey."""
    owner = await Owner(auth_db).begins()
    await owner.enrols_an_app()
    await owner.enrols_a_passkey()
    return owner


async def test_a_right_password_is_not_enough_any_more(ana: Owner) -> None:
    asked = await signs_in(ana.db, minutes=2)

    assert asked.events() == []
    assert asked.answer.keys() == {"challenge"}
    challenge = asked.answer["challenge"]
    assert challenge["methods"] == ["totp", "passkey", "recovery_code"]
    assert challenge["expires_in"] == 300
    assert len(challenge["passkey"]["allowCredentials"]) == 1


async def test_a_code_begins_a_session_of_two_factors(ana: Owner) -> None:
    challenge = await ana.is_asked()

    done = await answers(ana.db, challenge["id"], totp=ana.totp(2))

    changed, started, noted = done.events()
    assert isinstance(noted, SecurityNoted)
    assert isinstance(changed, FactorsChanged)
    assert isinstance(started, SessionStarted)
    assert (started.assurance, started.device, started.place) == (2, "phone", "192.0.2.0/24")
    assert done.answer["session_id"] == challenge["id"] == str(started.session_id)
    assert [each.used_at for each in changed.factors if each.kind == "totp"] == [meta(minutes=2).at]


async def test_a_step_counts_once_even_for_another_challenge(ana: Owner) -> None:
    first, second = await ana.is_asked(), await ana.is_asked()

    assert (await answers(ana.db, first["id"], totp=ana.totp(2))).refused is None
    assert (await answers(ana.db, second["id"], totp=ana.totp(2))).refused == "factor_wrong"
    assert (await answers(ana.db, second["id"], 2.5, totp=ana.totp(2.5))).refused is None


async def test_a_challenge_is_used_once(ana: Owner) -> None:
    challenge = await ana.is_asked()

    assert (await answers(ana.db, challenge["id"], totp=ana.totp(2))).refused is None
    assert (await answers(ana.db, challenge["id"], 3, totp=ana.totp(3))).refused == "challenge_invalid"


async def test_a_wrong_code_leaves_the_challenge_as_it_is(ana: Owner) -> None:
    challenge = await ana.is_asked()

    assert (await answers(ana.db, challenge["id"], totp="000000")).refused == "factor_wrong"
    assert (await answers(ana.db, challenge["id"], totp=ana.totp(2))).refused is None


async def test_a_challenge_is_good_for_five_minutes(ana: Owner) -> None:
    challenge = await ana.is_asked()

    assert (await answers(ana.db, challenge["id"], 7, totp=ana.totp(7))).refused == "challenge_invalid"
    assert (await answers(ana.db, challenge["id"], 6.9, totp=ana.totp(6.9))).refused is None


async def test_a_recovery_code_works_once_however_it_is_typed(ana: Owner) -> None:
    first, second = await ana.is_asked(), await ana.is_asked()

    done = await answers(ana.db, first["id"], recovery_code=ana.codes[3].upper().replace("-", " "))

    changed, noted, *_ = done.events()
    assert isinstance(changed, FactorsChanged)
    assert isinstance(noted, SecurityNoted)
    assert (changed.recovery_codes, noted.kind) == (9, "recovery_code_used")
    assert (await answers(ana.db, second["id"], recovery_code=ana.codes[3])).refused == "factor_wrong"
    assert (await answers(ana.db, second["id"], recovery_code=ana.codes[4])).refused is None


async def test_a_passkey_is_a_second_factor(ana: Owner) -> None:
    challenge = await ana.is_asked()

    done = await answers(ana.db, challenge["id"], passkey=ana.device.get(json.dumps(challenge["passkey"])))

    started = done.events()[1]
    assert isinstance(started, SessionStarted)
    assert started.assurance == 2


async def test_a_passkey_alone_signs_in_without_a_name(ana: Owner) -> None:
    challenge = (await begins_challenge(ana.db)).answer["challenge"]

    done = await answers(
        *(ana.db, challenge["id"]),
        passkey=ana.device.get(json.dumps(challenge["passkey"])),
        device="tablet",
    )

    assert challenge["methods"] == ["passkey"]
    assert "allowCredentials" not in challenge["passkey"] or challenge["passkey"]["allowCredentials"] == []
    started = done.events()[1]
    assert isinstance(started, SessionStarted)
    assert (started.account_id, started.assurance, started.device) == (ana.account, 2, "tablet")
    assert done.answer["handle"] == "ana"


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault.ORIGIN, Fault.RP, Fault.CHALLENGE, Fault.UNVERIFIED, Fault.SIGNATURE, Fault.FRAMED),
        *(Fault.OWNER, Fault.NO_OWNER),
    ],
)
async def test_a_passkey_with_a_fault_signs_nobody_in(ana: Owner, fault: Fault) -> None:
    challenge = (await begins_challenge(ana.db)).answer["challenge"]
    ana.device.faults = (fault,)

    answer = ana.device.get(json.dumps(challenge["passkey"]))

    assert (await answers(ana.db, challenge["id"], passkey=answer)).refused == "factor_wrong"


async def test_without_a_name_only_a_passkey_counts(ana: Owner) -> None:
    challenge = (await begins_challenge(ana.db)).answer["challenge"]
    forged = ana.device.get(json.dumps(challenge["passkey"])).replace("signature", "signat")

    assert (await answers(ana.db, challenge["id"], totp=ana.totp(2))).refused == "factor_wrong"
    both = await answers(ana.db, challenge["id"], totp=ana.totp(2), passkey=forged)
    assert both.refused == "factor_wrong"


async def test_an_answer_to_one_challenge_is_none_to_another(ana: Owner) -> None:
    first = (await begins_challenge(ana.db)).answer["challenge"]
    second = (await begins_challenge(ana.db)).answer["challenge"]
    answer = ana.device.get(json.dumps(first["passkey"]))

    assert (await answers(ana.db, second["id"], passkey=answer)).refused == "factor_wrong"
    assert (await answers(ana.db, first["id"], passkey=answer)).refused is None


async def test_the_passkey_of_somebody_else_is_no_second_factor(ana: Owner) -> None:
    bo = await Owner(ana.db, BO, "bo").begins(2)
    await bo.enrols_a_passkey()
    challenge = await ana.is_asked()

    with pytest.raises(NotAllowedError):
        bo.device.get(json.dumps(challenge["passkey"]))
    free = {**challenge["passkey"], "allowCredentials": []}
    forced = await answers(ana.db, challenge["id"], passkey=bo.device.get(json.dumps(free)))
    assert forced.refused == "factor_wrong"
    assert (await answers(ana.db, challenge["id"], recovery_code=bo.codes[0])).refused == "factor_wrong"


async def test_a_password_that_was_changed_meanwhile_was_the_wrong_one(ana: Owner) -> None:
    challenge = await ana.is_asked()
    await accounts.set_password(ana.db, ana.account, "another", 20)

    assert (await answers(ana.db, challenge["id"], totp=ana.totp(2))).refused == "challenge_invalid"


async def test_a_suspended_account_begins_no_session(ana: Owner) -> None:
    challenge = await ana.is_asked()
    await ana.db.execute("UPDATE account SET standing = 'suspended'")

    assert (await answers(ana.db, challenge["id"], totp=ana.totp(2))).refused == "suspended"


async def test_a_challenge_to_step_up_signs_nobody_in(ana: Owner) -> None:
    challenge = (await begins_challenge(ana.db, ana.account, ana.session)).answer["challenge"]
    answer = ana.device.get(json.dumps(challenge["passkey"]))

    assert (await answers(ana.db, challenge["id"], passkey=answer)).refused == "challenge_invalid"


async def test_what_a_tick_finds_expired_is_gone(ana: Owner) -> None:
    await ana.is_asked()
    for partition in range(12):
        await challenges.forget_expired(ana.db, partition, meta(minutes=7).at)

    assert await ana.db.fetchval("SELECT count(*) FROM challenge") == 0


async def test_guessing_is_slowed_down_after_five(ana: Owner) -> None:
    challenge = await ana.is_asked()

    refused = [(await answers(ana.db, challenge["id"], totp="000000")).refused for _ in range(7)]

    assert refused == ["factor_wrong"] * 5 + ["too_many_attempts"] * 2
    assert (await answers(ana.db, challenge["id"], totp=ana.totp(2))).refused == "too_many_attempts"
    assert (await answers(ana.db, challenge["id"], 3, totp=ana.totp(3))).refused is None


async def test_guessing_over_several_challenges_is_slowed_down_after_ten(ana: Owner) -> None:
    refused = []
    for _ in range(4):
        challenge = await ana.is_asked()
        refused += [(await answers(ana.db, challenge["id"], totp="000000")).refused for _ in range(4)]

    assert refused == ["factor_wrong"] * 10 + ["too_many_attempts"] * 6


async def test_of_two_hundred_parallel_guesses_five_are_looked_at(migrated: Settings) -> None:
    pool = await asyncpg.create_pool(migrated.dsn("auth"), min_size=20, max_size=20)
    try:
        pair = key_pairs.sealing_pair(NOON)
        challenge = Challenge(meta().id, "sign_in", bytes(32), meta(minutes=5).at, meta().id)
        await keys.add(pool, pair)  # type: ignore[arg-type]  # a pool has the methods of a connection
        await challenges.add(pool, challenge)  # type: ignore[arg-type]  # the same

        async def guess(number: int) -> bool:
            asked, contents = meta(None), contract.ChallengeProof(totp=f"{number:06}", address=ADDRESS)
            async with pool.acquire() as db:
                kind, ids = contract.AnswerChallenge, {"challenge_id": challenge.challenge_id}
                wish, _ = await boxed(db, kind, contents, asked, **ids)  # type: ignore[arg-type]  # the same
                return not isinstance(await second_factor.counted(wish, asked, db), Refusal)  # type: ignore[arg-type]  # the same

        looked_at = await asyncio.gather(*map(guess, range(200)))
    finally:
        await pool.execute("DELETE FROM key_pair; DELETE FROM challenge; DELETE FROM guess")
        await pool.close()
    assert sum(looked_at) == 5
