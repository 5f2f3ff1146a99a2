"""Changing an e-mail address: proven at the new one, told to the old one, and no word of who has it."""

from uuid import UUID

from consumers.auth import changing_email, key_pairs, vault
from consumers.auth.store import accounts
from infra.runtime import Db, Unchanged
from infra.sealing import b64, unb64
from schemas.credentials import ChangeEmail, ChangeEmailContents, ConfirmEmail
from schemas.ids import made_by
from schemas.registration import ProofContents
from schemas.security import SecurityNoted
from tests.consumers.auth import test_resetting_password as reset
from tests.consumers.auth.credentials import HERE, PASSWORD, a_member, effects, mails, sealed
from tests.given import ANA, BO
from tests.sealing import Decided

ASK = (changing_email.change_email, changing_email.checked)
CONFIRM = (changing_email.confirm_email, key_pairs.open_box)
NEW = "ana@books.example"


async def asks(db: Db, email: str = NEW, password: str = PASSWORD, minutes: float = 1) -> Decided:
    """Ana wants another address."""
    contents = ChangeEmailContents(email=email, password=password, address=HERE)
    own = {"account_id": ANA, "session_id": made_by(ANA, "laptop")}
    return await sealed(db, ChangeEmail, contents, ASK, minutes, **own)


async def confirms(db: Db, token: str, minutes: float = 2) -> Decided:
    """Somebody uses a code, split as the gateway splits it."""
    raw = unb64(token)
    contents = ProofContents(secret=b64(raw[16:]), address=HERE)
    return await sealed(db, ConfirmEmail, contents, CONFIRM, minutes, account_id=UUID(bytes=raw[:16]))


async def owner(db: Db, email: str) -> UUID | None:
    found = await accounts.by_email(db, vault.lookup("email", email))
    return found.account_id if found else None


async def test_the_code_goes_to_the_new_address_and_word_of_it_to_the_old_one(auth_db: Db) -> None:
    await a_member(auth_db)

    asked = await asks(auth_db)

    to_new, to_old = mails(asked)
    assert (to_new["letter"], to_new["to"]) == ("confirm_email", NEW)
    assert (to_old["letter"], to_old["to"]) == ("email_change_asked", "ana@example.org")
    assert to_old["new"] == "a***@b***.example"
    assert await owner(auth_db, NEW) is None
    assert [each.kind for each in asked.events() if isinstance(each, SecurityNoted)] == ["email_change_asked"]


async def test_the_code_changes_the_address_once(auth_db: Db) -> None:
    await a_member(auth_db)
    token = mails(await asks(auth_db))[0]["token"]

    done, again = await confirms(auth_db, token), await confirms(auth_db, token)

    assert (done.refused, again.refused) == (None, "link_invalid")
    assert (await owner(auth_db, NEW), await owner(auth_db, "ana@example.org")) == (ANA, None)
    (told,) = mails(done)
    assert (told["letter"], told["to"]) == ("email_changed", "ana@example.org")
    assert [each.kind for each in done.events() if isinstance(each, SecurityNoted)] == ["email_changed"]


async def test_mail_goes_to_the_new_address_from_then_on(auth_db: Db) -> None:
    await a_member(auth_db)
    await confirms(auth_db, mails(await asks(auth_db))[0]["token"])

    assert mails(await reset.asks(auth_db, minutes=3))[0]["to"] == NEW


async def test_a_reset_that_was_mailed_to_the_old_address_is_good_no_more(auth_db: Db) -> None:
    await a_member(auth_db)
    mailed = mails(await reset.asks(auth_db))[0]["token"]

    await confirms(auth_db, mails(await asks(auth_db))[0]["token"])

    assert (await reset.sets(auth_db, mailed)).refused == "link_invalid"


async def test_an_address_of_somebody_else_is_told_so_and_nobody_else_is(auth_db: Db) -> None:
    await a_member(auth_db)
    await a_member(auth_db, BO, "bo.reads")

    free, taken = await asks(auth_db), await asks(auth_db, "bo.reads@example.org")

    assert free.refused is taken.refused is None
    assert free.answer == taken.answer == {}
    assert [mail["letter"] for mail in mails(taken)] == ["known_email", "email_change_asked"]
    assert mails(taken)[0]["token"] == ""
    assert len(effects(free)) == len(effects(taken))


async def test_an_address_that_somebody_else_got_meanwhile_is_not_given(auth_db: Db) -> None:
    await a_member(auth_db)
    token = mails(await asks(auth_db, "bo.reads@example.org"))[0]["token"]
    await a_member(auth_db, BO, "bo.reads")

    assert (await confirms(auth_db, token)).refused == "link_invalid"
    assert await owner(auth_db, "ana@example.org") == ANA


async def test_the_address_that_it_has_is_no_change(auth_db: Db) -> None:
    await a_member(auth_db)

    assert (await asks(auth_db, "Ana@Example.org")).outcome == Unchanged()


async def test_a_wrong_password_and_an_address_without_a_domain_are_refused(auth_db: Db) -> None:
    await a_member(auth_db)

    assert (await asks(auth_db, password="something else")).refused == "password_wrong"
    assert (await asks(auth_db, "ana@xn--a.example")).refused == "email_invalid"


async def test_the_new_address_lies_nowhere_in_clear(auth_db: Db) -> None:
    await a_member(auth_db)
    await asks(auth_db)

    rows = await auth_db.fetch("SELECT p::text AS row, email FROM proof p")

    assert len(rows) == 1
    assert "books" not in rows[0]["row"]
    assert b"books" not in rows[0]["email"]


async def test_the_code_is_good_for_a_day(auth_db: Db) -> None:
    await a_member(auth_db)
    token = mails(await asks(auth_db, minutes=0))[0]["token"]

    assert (await confirms(auth_db, token, minutes=24 * 60)).refused == "link_invalid"
    assert (await confirms(auth_db, token, minutes=24 * 60 - 1)).refused is None


async def test_a_code_of_a_reset_confirms_no_address(auth_db: Db) -> None:
    await a_member(auth_db)
    await asks(auth_db)
    mailed = mails(await reset.asks(auth_db))[0]["token"]

    assert (await confirms(auth_db, mailed)).refused == "link_invalid"
