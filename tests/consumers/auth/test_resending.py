"""The mail of a registration once more: a new code for who waits, nothing for anybody else."""

import pytest

from consumers.auth import resending
from infra.runtime import Db
from infra.sealing import b64, unb64
from schemas.credentials import EmailContents, ResendConfirmation
from tests.consumers.auth.credentials import HERE, a_member, mails, sealed
from tests.consumers.auth.test_registration import confirms, registers, secret_of
from tests.sealing import Decided

OF = (resending.resend_confirmation, resending.opened)


async def asks(db: Db, email: str = "ana@example.org", minutes: float = 1) -> Decided:
    """Somebody wants the mail again."""
    return await sealed(db, ResendConfirmation, EmailContents(email=email, address=HERE), OF, minutes)


async def test_a_new_code_begins_the_account_and_the_old_one_does_not(auth_db: Db) -> None:
    account_id, first = await registers(auth_db)

    (mail,) = mails(await asks(auth_db, "ANA@example.org"))

    assert (mail["letter"], mail["handle"]) == ("confirm_registration", "ana")
    raw = unb64(mail["token"])
    assert raw[:16] == account_id.bytes
    assert (await confirms(auth_db, account_id, secret_of(first))).refused == "link_invalid"
    assert (await confirms(auth_db, account_id, b64(raw[16:]))).refused is None


@pytest.mark.parametrize("known", [True, False])
async def test_for_an_address_that_nothing_waits_for_a_letter_goes_nowhere(auth_db: Db, known: bool) -> None:
    if known:
        await a_member(auth_db)
        await registers(auth_db, "other")

    (mail,) = mails(await asks(auth_db))

    assert (mail["letter"], mail["to"]) == ("confirm_registration", "")


async def test_asking_again_and_again_is_slowed_down(auth_db: Db) -> None:
    answers = [(await asks(auth_db)).refused for _ in range(5)]

    assert answers == [None] * 3 + ["too_many_attempts"] * 2
