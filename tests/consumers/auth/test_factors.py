"""Naming and removing second factors, and recovery codes made anew."""

from uuid import uuid4

import pytest

from consumers.auth.store import factors
from infra.runtime import Db, Unchanged
from schemas.factors import FactorsChanged
from schemas.security import SecurityNoted
from tests.consumers.auth.owner import Owner, answers
from tests.consumers.auth.test_signing_in import signs_in
from tests.given import BO


@pytest.fixture
async def ana(auth_db: Db) -> Owner:
    """Somebody signed in at noon."""
    return await Owner(auth_db).begins()


async def test_a_factor_gets_another_name(ana: Owner) -> None:
    factor = await ana.enrols_an_app()

    named = (await ana.names(factor, "the old phone")).outcome

    assert isinstance(named, FactorsChanged)
    assert ([each.name for each in named.factors], named.version) == (["the old phone"], 2)
    assert (await ana.names(factor, "the old phone")).outcome == Unchanged()


async def test_what_is_not_there_cannot_be_named_or_removed(ana: Owner) -> None:
    bo = await Owner(ana.db, BO, "bo").begins(2)
    foreign = await bo.enrols_an_app()
    pending = (await ana.adds("totp")).answer["id"]

    for factor in (foreign, str(uuid4())):
        assert (await ana.names(factor, "mine")).refused == "not_found"
        assert (await ana.removes(factor)).refused == "not_found"
    assert (await ana.names(pending, "mine")).refused == "not_found"


async def test_without_factors_a_password_signs_in_again(ana: Owner) -> None:
    factor = await ana.enrols_an_app()

    changed, noted = (await ana.removes(factor)).events()

    assert isinstance(changed, FactorsChanged)
    assert isinstance(noted, SecurityNoted)
    assert noted.kind == "factor_removed"
    assert (changed.factors, changed.recovery_codes, changed.version) == ((), 0, 2)
    assert "access_token" in (await signs_in(ana.db, minutes=3)).answer


async def test_one_of_two_goes_and_the_codes_stay(ana: Owner) -> None:
    app, passkey = await ana.enrols_an_app(), await ana.enrols_a_passkey()

    changed = (await ana.removes(app)).events()[0]

    assert isinstance(changed, FactorsChanged)
    assert [str(each.id) for each in changed.factors] == [passkey]
    assert changed.recovery_codes == 10


@pytest.mark.parametrize("role", ["admin", "analyst", "moderator", "owner"])
async def test_the_last_one_stays_while_a_role_demands_it(ana: Owner, role: str) -> None:
    app, passkey = await ana.enrols_an_app(), await ana.enrols_a_passkey()
    await ana.db.execute("UPDATE account SET roles = ARRAY['member', $1]", role)

    assert (await ana.removes(app)).refused is None
    assert (await ana.removes(passkey)).refused == "last_factor_needed"


async def test_a_role_within_a_scope_demands_one_as_the_whole_role_does(ana: Owner) -> None:
    passkey = await ana.enrols_a_passkey()
    await ana.db.execute("UPDATE account SET roles = ARRAY['member', 'moderator:queue:spam']")

    assert (await ana.removes(passkey)).refused == "last_factor_needed"


@pytest.mark.parametrize(("length", "refused"), [(14, "last_factor_needed"), (15, None)])
async def test_the_last_one_stays_while_the_password_is_short(
    ana: Owner, length: int, refused: str | None
) -> None:
    app = await ana.enrols_an_app()
    await ana.db.execute("UPDATE account SET password_length = $1", length)

    assert (await ana.removes(app)).refused == refused


async def test_a_factor_that_never_counted_is_not_the_last_one(ana: Owner) -> None:
    await ana.enrols_an_app()
    await ana.db.execute("UPDATE account SET password_length = 8")
    pending = (await ana.adds("totp")).answer["id"]

    assert (await ana.removes(pending)).outcome == []
    assert await factors.count(ana.db, ana.account) == 1


async def test_removing_needs_a_factor_of_the_last_ten_minutes(ana: Owner) -> None:
    factor = await ana.enrols_an_app()

    assert (await ana.removes(factor, 12)).refused == "step_up_needed"


async def test_new_codes_take_the_place_of_all_others(ana: Owner) -> None:
    await ana.enrols_an_app()

    made = await ana.makes_codes()

    changed, noted = made.events()
    assert isinstance(changed, FactorsChanged)
    assert isinstance(noted, SecurityNoted)
    assert noted.kind == "recovery_codes_made"
    assert changed.recovery_codes == len(made.answer["recovery_codes"]) == 10
    challenge = await ana.is_asked()
    assert (await answers(ana.db, challenge["id"], recovery_code=ana.codes[0])).refused == "factor_wrong"
    new = made.answer["recovery_codes"][0]
    assert (await answers(ana.db, challenge["id"], recovery_code=new)).refused is None


async def test_new_codes_need_a_factor_and_a_fresh_one(ana: Owner) -> None:
    assert (await ana.makes_codes()).refused == "no_factor"
    await ana.enrols_an_app()
    assert (await ana.makes_codes(12)).refused == "step_up_needed"
