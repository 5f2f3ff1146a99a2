"""Signing in with a password: right, wrong, unknown, too often."""

from uuid import UUID

from consumers.auth import access, refresh_tokens, signing_in, vault
from consumers.auth.hashing import EVALUATIONS, hasher
from consumers.auth.store import accounts, sessions
from infra.runtime import Db
from schemas.accounts import AccountOpened
from schemas.ids import made_by
from schemas.sessions import SessionStarted, SignIn, SignInContents
from tests.given import ANA, NOON, meta
from tests.sealing import Decided, boxed, decide

PASSWORD = "a walk along the winter sea"


async def an_account(db: Db, account_id: UUID = ANA, handle: str = "ana") -> None:
    """Somebody has an account since noon."""
    account = AccountOpened(account_id=account_id, handle=handle, opened_at=NOON, version=1)
    password = await hasher().hashed(PASSWORD, bytes(32))
    address = vault.lookup("email", f"{handle}@example.org")
    await accounts.add(db, account, accounts.Secrets(address, b"", password, len(PASSWORD)), meta().id)


async def signs_in(
    db: Db, identifier: str = "ana", password: str = PASSWORD, address: str = "192.0.2.7", minutes: float = 1
) -> Decided:
    """Somebody tries to."""
    asked = meta(None, minutes=minutes)
    contents = SignInContents(identifier=identifier, password=password, device="phone", address=address)
    session_id = made_by(asked.id, "sessions")
    wish, reply_key = await boxed(db, SignIn, contents, asked, session_id=session_id)
    return await decide(db, signing_in.sign_in, signing_in.checked, wish, asked, reply_key)


async def test_a_right_password_begins_a_session(auth_db: Db) -> None:
    await an_account(auth_db)

    signed_in = await signs_in(auth_db)

    started = signed_in.events()[0]
    assert isinstance(started, SessionStarted)
    assert (started.account_id, started.device, started.place) == (ANA, "phone", "192.0.2.0/24")
    assert signed_in.answer["handle"] == "ana"
    assert signed_in.answer["session_id"] == str(started.session_id)


async def test_a_handle_with_its_sign_and_an_address_in_any_case_are_names(auth_db: Db) -> None:
    await an_account(auth_db)

    assert (await signs_in(auth_db, "@Ana")).refused is None
    assert (await signs_in(auth_db, "ANA@example.org")).refused is None


async def test_the_refresh_token_is_stored_as_a_digest(auth_db: Db) -> None:
    await an_account(auth_db)

    text = (await signs_in(auth_db)).answer["refresh_token"]

    token = refresh_tokens.parse(text)
    assert token is not None
    held = await sessions.get(auth_db, token.session)
    assert held is not None
    assert held.family.current == refresh_tokens.digest(token)
    assert refresh_tokens.genuine(access.family_key(token.session), token)


async def test_a_wrong_password_and_an_unknown_name_are_the_same(auth_db: Db) -> None:
    await an_account(auth_db)
    before = [EVALUATIONS.labels(purpose)._value.get() for purpose in ("verify", "dummy")]

    wrong = await signs_in(auth_db, password="something else entirely")
    unknown = await signs_in(auth_db, "nobody")

    assert wrong == unknown
    assert wrong.refused == "credentials_wrong"
    after = [EVALUATIONS.labels(purpose)._value.get() for purpose in ("verify", "dummy")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


async def test_guessing_is_slowed_down_after_five(auth_db: Db) -> None:
    await an_account(auth_db)

    answers = [(await signs_in(auth_db, password=f"guess number {n}")).refused for n in range(7)]

    assert answers == ["credentials_wrong"] * 5 + ["too_many_attempts"] * 2
    assert (await signs_in(auth_db)).refused == "too_many_attempts"
    assert (await signs_in(auth_db, minutes=2)).refused is None


async def test_a_right_password_forgives_the_wrong_ones_before(auth_db: Db) -> None:
    await an_account(auth_db)
    for n in range(4):
        await signs_in(auth_db, password=f"guess number {n}")
    await signs_in(auth_db)

    assert (await signs_in(auth_db, password="wrong again")).refused == "credentials_wrong"
    assert (await signs_in(auth_db)).refused is None


async def test_a_password_that_was_changed_meanwhile_must_be_checked_again(auth_db: Db) -> None:
    await an_account(auth_db)
    asked = meta(None, minutes=1)
    contents = SignInContents(identifier="ana", password=PASSWORD)
    wish, _ = await boxed(auth_db, SignIn, contents, asked, session_id=made_by(asked.id, "sessions"))
    seen = await signing_in.checked(wish, asked, auth_db)
    await accounts.set_password(auth_db, ANA, "1$other", 20)

    assert isinstance(seen, signing_in.Checked)
    outcome = await signing_in.sign_in(wish, asked, auth_db, seen)

    assert getattr(outcome, "reason", None) == "credentials_wrong"


async def test_a_network_where_many_sign_in_rightly_is_not_slowed_down(auth_db: Db) -> None:
    await an_account(auth_db)

    answers = {(await signs_in(auth_db)).refused for _ in range(signing_in.FREE_OF_ADDRESS + 2)}

    assert answers == {None}
