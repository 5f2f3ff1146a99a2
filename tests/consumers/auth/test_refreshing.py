"""A refresh token is used once; a lost answer can be asked for again; a second holder ends the session."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from consumers.auth import access
from consumers.auth.key_pairs import open_box
from consumers.auth.refresh_tokens import parse
from consumers.auth.refreshing import refresh
from consumers.auth.store import accounts, sessions
from consumers.auth.store.accounts import Secrets
from infra.runtime import Db
from infra.tokens import LIFETIME
from schemas.accounts import AccountOpened
from schemas.security import SecurityNoted
from schemas.sessions import RefreshContents, RefreshTokens, SessionEnded, SessionSeen, SessionStarted
from tests.given import ANA, NOON, meta
from tests.sealing import Decided, boxed, decide

DAY = 24 * 60


@dataclass(frozen=True)
class Client:
    """Somebody who holds a session."""

    db: Db
    session: UUID
    token: str

    async def refresh(self, token: str, *, minutes: float = 1, address: str = "192.0.2.7") -> Decided:
        """Use a token so many minutes after noon."""
        asked = meta(None, minutes=minutes)
        contents = RefreshContents(token=token, address=address)
        command, key = await boxed(self.db, RefreshTokens, contents, asked, session_id=self.session)
        return await decide(self.db, refresh, open_box, command, asked, key)


@pytest.fixture
async def ana(auth_db: Db) -> Client:
    """Ana signed in at noon."""
    account = AccountOpened(account_id=ANA, handle="ana", opened_at=NOON, version=1)
    await accounts.add(auth_db, account, Secrets(b"hash", b"sealed", "argon2", 20), uuid4())
    session = SessionStarted(session_id=uuid4(), account_id=ANA, started_at=NOON, seen_at=NOON, version=1)
    token, family = access.new_family(session.session_id, bytes(32), NOON)
    await sessions.add(auth_db, session, family, uuid4())
    return Client(auth_db, session.session_id, token.text())


async def test_a_token_is_exchanged_for_the_next_one_and_an_access_token(ana: Client) -> None:
    decided = await ana.refresh(ana.token)

    (seen,) = decided.events()
    assert isinstance(seen, SessionSeen)
    assert (seen.version, seen.seen_at, seen.place) == (2, NOON + timedelta(minutes=1), "192.0.2.0/24")
    assert decided.answer["refresh_token"] != ana.token
    assert (decided.answer["expires_in"], decided.answer["session_id"]) == (LIFETIME, str(ana.session))


async def test_the_chain_goes_on(ana: Client) -> None:
    tokens = [ana.token]

    for minute in range(1, 6):
        tokens.append((await ana.refresh(tokens[-1], minutes=minute)).answer["refresh_token"])

    assert len(set(tokens)) == 6


async def test_a_lost_answer_is_given_again_for_a_minute(ana: Client) -> None:
    first = await ana.refresh(ana.token, minutes=1)

    again = await ana.refresh(ana.token, minutes=2)

    assert again.answer["refresh_token"] == first.answer["refresh_token"]
    assert again.events() == []
    assert (await ana.refresh(first.answer["refresh_token"], minutes=3)).answer


async def test_the_token_before_ends_the_session_when_it_comes_later(ana: Client) -> None:
    await ana.refresh(ana.token, minutes=1)

    late = await ana.refresh(ana.token, minutes=2.1)

    assert late.answer == {"refused": "refresh_refused"}
    ended, told = late.events()
    assert isinstance(ended, SessionEnded)
    assert isinstance(told, SecurityNoted)
    assert (told.kind, told.session_id) == ("family_revoked", ended.session_id)
    assert (ended.end_reason, ended.ended_at) == ("replayed", NOON + timedelta(minutes=2.1))


async def test_an_older_token_ends_the_session_at_once(ana: Client) -> None:
    second = (await ana.refresh(ana.token)).answer["refresh_token"]
    third = (await ana.refresh(second)).answer["refresh_token"]

    replayed = await ana.refresh(ana.token)

    assert isinstance(replayed.events()[0], SessionEnded)
    assert (await ana.refresh(third)).refused == "refresh_refused"
    assert (await ana.refresh(ana.token)).events() == []


async def test_a_token_that_we_did_not_make_ends_nothing(ana: Client) -> None:
    ours = parse(ana.token)
    assert ours is not None
    forged = replace(ours, secret=bytes(32)).text()

    for token in (forged, ana.token[:-1], "", "x" * 86):
        assert (await ana.refresh(token)).refused == "refresh_refused"

    assert (await ana.refresh(ana.token)).answer["refresh_token"]


async def test_a_token_is_good_for_its_own_session_only(ana: Client) -> None:
    other = replace(ana, session=uuid4())

    assert (await other.refresh(ana.token)).refused == "refresh_refused"


async def test_each_use_lets_the_session_live_60_days_more(ana: Client) -> None:
    token = (await ana.refresh(ana.token, minutes=60 * DAY - 1)).answer["refresh_token"]

    token = (await ana.refresh(token, minutes=120 * DAY - 2)).answer["refresh_token"]

    assert (await ana.refresh(token, minutes=180 * DAY - 2)).refused == "refresh_refused"


async def test_a_suspended_account_gets_nothing(ana: Client) -> None:
    held = await accounts.get(ana.db, ANA)
    assert held is not None
    suspended = held.account.model_copy(update={"standing": "suspended"})
    await accounts.save(ana.db, suspended, uuid4())

    assert (await ana.refresh(ana.token)).refused == "refresh_refused"
