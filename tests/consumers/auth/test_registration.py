"""Opening an account: reserved, proven, begun; and nobody learns whether an address is known."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import orjson

from consumers.auth import key_pairs, letters, registration
from infra.runtime import Db, Effect
from infra.sealing import b64, decrypt, unb64
from schemas.accounts import AccountOpened
from schemas.ids import made_by
from schemas.registration import ConfirmRegistration, ProofContents, Register, RegisterContents
from tests.given import meta
from tests.sealing import Decided, boxed, decide

PASSWORD = "a walk along the winter sea"


async def registers(
    db: Db, handle: str = "ana", email: str = "ana@example.org", password: str = PASSWORD
) -> tuple[UUID, Decided]:
    """Somebody asks for an account."""
    asked = meta(None)
    account_id = made_by(asked.id, "accounts")
    contents = RegisterContents(handle=handle, email=email, password=password, address="192.0.2.7")
    wish, reply_key = await boxed(db, Register, contents, asked, account_id=account_id)
    return account_id, await decide(db, registration.register, registration.checked, wish, asked, reply_key)


async def confirms(db: Db, account_id: UUID, secret: str, minutes: float = 5) -> Decided:
    """Somebody gives the code back."""
    asked = meta(None, minutes=minutes)
    wish, reply_key = await boxed(
        db, ConfirmRegistration, ProofContents(secret=secret), asked, account_id=account_id
    )
    handler, prepare = registration.confirm_registration, key_pairs.open_box
    return await decide(db, handler, prepare, wish, asked, reply_key)


def mailed(decided: Decided) -> dict[str, str]:
    """What the mail says."""
    effect = decided.outcome
    assert isinstance(effect, Effect)
    payload = effect.payload
    account_id = UUID(payload["account"])
    key = letters.data_key(unb64(payload["key"]), account_id)
    about = letters.about(payload["letter"], account_id)
    return {"letter": payload["letter"], **orjson.loads(decrypt(key, unb64(payload["box"]), about))}


def secret_of(decided: Decided) -> str:
    """The secret half of the code in the mail."""
    return b64(unb64(mailed(decided)["token"])[16:])


async def test_an_account_begins_when_its_address_is_proven(auth_db: Db) -> None:
    account_id, asked = await registers(auth_db)

    begun = await confirms(auth_db, account_id, secret_of(asked))

    (opened,) = begun.events()
    assert isinstance(opened, AccountOpened)
    assert (opened.account_id, opened.handle, opened.roles) == (account_id, "ana", ("member",))
    assert begun.answer == {"account_id": str(account_id), "handle": "ana"}


async def test_the_mail_goes_to_the_address_and_is_unreadable_until_then(auth_db: Db) -> None:
    _, asked = await registers(auth_db)

    assert mailed(asked)["to"] == "ana@example.org"
    assert isinstance(asked.outcome, Effect)
    assert b"ana@example.org" not in orjson.dumps(asked.outcome.payload)


async def test_nothing_of_the_address_or_the_password_lies_in_clear(auth_db: Db) -> None:
    await registers(auth_db)

    rows = await auth_db.fetch("SELECT r::text AS row FROM registration r")

    assert len(rows) == 1
    assert not re.search("example|walk", rows[0]["row"])
    assert b"ana@example.org".hex() not in rows[0]["row"]


async def test_a_code_works_once(auth_db: Db) -> None:
    account_id, asked = await registers(auth_db)
    await confirms(auth_db, account_id, secret_of(asked))

    assert (await confirms(auth_db, account_id, secret_of(asked))).refused == "link_invalid"


async def test_a_wrong_code_begins_nothing(auth_db: Db) -> None:
    account_id, _ = await registers(auth_db)

    assert (await confirms(auth_db, account_id, b64(bytes(32)))).refused == "link_invalid"
    assert (await confirms(auth_db, account_id, "not base64url!")).refused == "link_invalid"
    assert (await confirms(auth_db, uuid4(), b64(bytes(32)))).refused == "link_invalid"


async def test_a_code_is_good_for_a_day(auth_db: Db) -> None:
    account_id, asked = await registers(auth_db)

    late = await confirms(auth_db, account_id, secret_of(asked), minutes=24 * 60)

    assert late.refused == "link_invalid"


async def test_a_known_address_is_told_so_by_mail_alone(auth_db: Db) -> None:
    account_id, asked = await registers(auth_db)
    await confirms(auth_db, account_id, secret_of(asked))

    other, again = await registers(auth_db, handle="bo.bergman")

    assert (again.refused, again.answer) == (asked.refused, asked.answer)
    assert mailed(again)["letter"] == "known_registration"
    assert (await confirms(auth_db, other, secret_of(again))).refused == "link_invalid"


async def test_handles_that_look_alike_are_one(auth_db: Db) -> None:
    await registers(auth_db, handle="ana.lo")

    _, second = await registers(auth_db, handle="ana.1o", email="other@example.org")

    assert second.refused == "handle_taken"


async def test_a_handle_is_free_again_when_nobody_confirmed(auth_db: Db) -> None:
    await registers(auth_db)
    at = meta().at + timedelta(days=2)
    await auth_db.execute("UPDATE handle_claim SET until = $1", at - timedelta(days=2))

    _, second = await registers(auth_db, email="other@example.org")

    assert second.refused is None


async def test_reserved_handles_and_short_passwords_are_refused(auth_db: Db) -> None:
    assert (await registers(auth_db, handle="admin"))[1].refused == "handle_reserved"
    assert (await registers(auth_db, password="14 characters!"))[1].refused == "password_too_short"
