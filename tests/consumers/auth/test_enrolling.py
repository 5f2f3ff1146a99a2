"""Adding second factors: they count when they have been seen to work."""

import json
from uuid import UUID, uuid4

import pytest

from consumers.auth import totp
from consumers.auth.enrolling import MOST
from consumers.auth.store import factors, sessions
from infra.runtime import Db
from schemas.factors import FactorsChanged
from schemas.security import SecurityNoted
from schemas.sessions import SessionSeen
from tests.authenticator import Fault
from tests.consumers.auth.owner import Owner, answers
from tests.consumers.auth.test_signing_in import signs_in
from tests.given import BO, meta


@pytest.fixture
async def ana(auth_db: Db) -> Owner:
    """Somebody without second factors, signed in at noon."""
    return await Owner(auth_db).begins()


async def test_an_app_gets_its_secret_once_and_counts_when_it_shows_a_code(ana: Owner) -> None:
    added = await ana.adds("totp", name="  my phone ")
    assert added.events() == []
    assert (await signs_in(ana.db)).answer.keys() >= {"access_token"}
    ana.secret = added.answer["totp"]["secret"]

    confirmed = await ana.confirms(added.answer["id"], totp=ana.totp(1))

    seen, changed, noted = confirmed.events()
    assert isinstance(noted, SecurityNoted)
    assert (noted.kind, noted.session_id, noted.place) == ("factor_added", ana.session, "192.0.2.0/24")
    assert isinstance(changed, FactorsChanged)
    assert [(each.kind, each.name) for each in changed.factors] == [("totp", "my phone")]
    assert (changed.recovery_codes, len(confirmed.answer["recovery_codes"])) == (10, 10)
    assert isinstance(seen, SessionSeen)
    assert (seen.session_id, seen.assurance) == (ana.session, 2)
    assert ana.secret in added.answer["totp"]["uri"]


async def test_the_secret_rests_encrypted(ana: Owner) -> None:
    added = await ana.adds("totp")
    ana.secret = added.answer["totp"]["secret"]

    kept = await factors.one(ana.db, ana.account, UUID(added.answer["id"]))

    assert kept is not None
    assert kept.secret is not None
    code = totp.step_of(ana.totp(1), kept.secret[-20:], meta(minutes=1).at, 0)
    assert code is None


async def test_a_wrong_code_confirms_nothing(ana: Owner) -> None:
    added = await ana.adds("totp")

    assert (await ana.confirms(added.answer["id"], totp="000000")).refused == "factor_wrong"
    assert (await ana.confirms(added.answer["id"])).refused == "factor_wrong"
    assert await factors.confirmed(ana.db, ana.account) == []


async def test_the_code_that_confirmed_signs_nobody_in(ana: Owner) -> None:
    added = await ana.adds("totp")
    ana.secret = added.answer["totp"]["secret"]
    await ana.confirms(added.answer["id"], totp=ana.totp(1))

    challenge = await ana.is_asked(1)
    assert (await answers(ana.db, challenge["id"], 1, totp=ana.totp(1))).refused == "factor_wrong"


async def test_a_passkey_is_made_for_this_site_and_account(ana: Owner) -> None:
    options = (await ana.adds("passkey")).answer["passkey"]

    assert options["rp"] == {"id": "localhost", "name": "Pickly"}
    assert options["user"]["name"] == "ana"
    assert options["excludeCredentials"] == []


async def test_a_passkey_that_is_known_is_excluded_and_refused(ana: Owner) -> None:
    await ana.enrols_a_passkey()
    added = (await ana.adds("passkey")).answer

    assert len(added["passkey"]["excludeCredentials"]) == 1
    made = ana.device.create(json.dumps({**added["passkey"], "excludeCredentials": []}))
    assert (await ana.confirms(added["id"], passkey=made)).refused is None
    assert len(await factors.confirmed(ana.db, ana.account)) == 2


async def test_a_credential_belongs_to_one_account(ana: Owner) -> None:
    await ana.enrols_a_passkey()
    bo = await Owner(ana.db, BO, "bo", device=ana.device).begins(2)
    taken = ana.device.residents[0].id
    added = (await bo.adds("passkey")).answer

    made = json.loads(bo.device.create(json.dumps(added["passkey"])))
    await ana.db.execute(
        "UPDATE factor SET credential_id = $1 WHERE confirmed_at IS NOT NULL", bo.device.residents[1].id
    )

    assert taken != bo.device.residents[1].id
    assert (await bo.confirms(added["id"], passkey=json.dumps(made))).refused == "passkey_known"


@pytest.mark.parametrize("fault", [Fault.ORIGIN, Fault.RP, Fault.CHALLENGE, Fault.UNVERIFIED])
async def test_a_passkey_that_is_made_wrongly_counts_for_nothing(ana: Owner, fault: Fault) -> None:
    added = (await ana.adds("passkey")).answer
    ana.device.faults = (fault,)

    made = ana.device.create(json.dumps(added["passkey"]))

    assert (await ana.confirms(added["id"], passkey=made)).refused == "factor_wrong"
    assert await factors.confirmed(ana.db, ana.account) == []


async def test_a_passkey_must_be_made_within_five_minutes(ana: Owner) -> None:
    added = (await ana.adds("passkey")).answer
    made = ana.device.create(json.dumps(added["passkey"]))

    assert (await ana.confirms(added["id"], 6, passkey=made)).refused == "challenge_invalid"


async def test_a_second_factor_brings_no_second_set_of_codes(ana: Owner) -> None:
    await ana.enrols_an_app()
    codes = ana.codes
    await ana.enrols_a_passkey()

    assert ana.codes == codes
    assert len(await factors.codes_left(ana.db, ana.account)) == 10


async def test_it_needs_a_factor_of_the_last_ten_minutes(ana: Owner) -> None:
    assert (await ana.adds("totp", 10.1)).refused == "step_up_needed"
    assert (await ana.adds("totp", 10)).refused is None


async def test_a_session_without_the_second_factor_adds_none(ana: Owner) -> None:
    other = UUID((await signs_in(ana.db)).answer["session_id"])
    await ana.enrols_an_app()
    ana.session = other

    assert (await ana.adds("passkey")).refused == "step_up_needed"


async def test_an_account_has_at_most_ten(ana: Owner) -> None:
    added = [(await ana.adds("totp")).refused for _ in range(MOST + 1)]

    assert added == [None] * MOST + ["too_many_factors"]


async def test_what_was_never_confirmed_is_forgotten(ana: Owner) -> None:
    await ana.enrols_an_app()
    await ana.adds("totp")

    await factors.forget_unconfirmed(ana.db, meta(minutes=2).at)

    assert await factors.count(ana.db, ana.account) == 1


async def test_a_foreign_or_unknown_factor_is_not_found(ana: Owner) -> None:
    bo = await Owner(ana.db, BO, "bo").begins(2)
    added = (await bo.adds("totp")).answer

    assert (await ana.confirms(added["id"], totp="000000")).refused == "not_found"
    assert (await ana.confirms(str(uuid4()), totp="000000")).refused == "not_found"


async def test_a_confirmed_factor_is_confirmed_once(ana: Owner) -> None:
    factor = await ana.enrols_an_app()

    assert (await ana.confirms(factor, totp=ana.totp(1))).refused == "already_confirmed"


async def test_an_ended_session_confirms_nothing(ana: Owner) -> None:
    added = (await ana.adds("totp")).answer
    ana.secret = added["totp"]["secret"]
    await ana.db.execute("UPDATE session SET ended_at = $1", meta().at)

    assert (await ana.confirms(added["id"], totp=ana.totp(1))).refused == "session_ended"
    held = await sessions.get(ana.db, ana.session)
    assert held is not None
    assert held.session.assurance == 1


async def test_guessing_the_first_code_is_slowed_down(ana: Owner) -> None:
    added = (await ana.adds("totp")).answer

    refused = [(await ana.confirms(added["id"], totp="000000")).refused for _ in range(6)]

    assert refused == ["factor_wrong"] * 5 + ["too_many_attempts"]
