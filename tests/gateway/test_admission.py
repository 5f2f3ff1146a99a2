"""Verified tokens are kept until they end, and only good ones."""

import time
from uuid import uuid4

import pytest

from gateway import admission
from gateway.admission import Tokens, recently_proven
from gateway.problems import ProblemError
from infra.settings import Settings
from infra.tokens import Claims, InvalidTokenError


class Refused:
    """Stands for the view of ended sessions."""

    def __init__(self, *sessions: str) -> None:
        self.sessions = set(sessions)

    def refuses(self, claims: Claims) -> bool:
        return claims.session in self.sessions


NOBODY = Refused()


class Issuer:
    """Stands for the check of a signature, and counts how often it was needed."""

    def __init__(self) -> None:
        self.checked: list[bytes] = []
        self.ends_at = 4_000_000_000

    def verify(self, token: bytes, **_: object) -> Claims:
        self.checked.append(token)
        if token.startswith(b"bad"):
            raise InvalidTokenError("it is bad")
        return Claims(uuid4(), "s", frozenset(), self.ends_at)


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    issuer = Issuer()
    monkeypatch.setattr(admission, "verify", issuer.verify)
    return issuer


def test_a_token_is_verified_once(issuer: Issuer) -> None:
    tokens = Tokens(Settings(), NOBODY)

    first = tokens.claims(b"Bearer a")

    assert first is not None
    assert tokens.claims(b"Bearer a") is first
    assert tokens.claims(b"bearer  a ") is first
    assert tokens.claims(b"Bearer b") is not first
    assert issuer.checked == [b"a", b"b"]


def test_a_token_that_has_ended_is_verified_again(issuer: Issuer) -> None:
    tokens, issuer.ends_at = Tokens(Settings(), NOBODY), 1

    tokens.claims(b"Bearer a")
    tokens.claims(b"Bearer a")

    assert len(issuer.checked) == 2


def test_a_bad_token_is_never_kept(issuer: Issuer) -> None:
    tokens = Tokens(Settings(), NOBODY)

    for _ in range(2):
        with pytest.raises(ProblemError, match="unauthorised"):
            tokens.claims(b"Bearer bad")

    assert len(issuer.checked) == 2


def test_only_so_many_are_kept(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "KEPT", 3)
    tokens = Tokens(Settings(), NOBODY)

    for name in (b"a", b"b", b"c", b"d", b"d", b"c", b"b", b"a"):
        tokens.claims(b"Bearer " + name)

    assert issuer.checked == [b"a", b"b", b"c", b"d", b"a"]


def test_a_session_that_ended_is_refused_although_its_token_was_verified_before(issuer: Issuer) -> None:
    ended = Refused()
    tokens = Tokens(Settings(), ended)
    tokens.claims(b"Bearer a")

    ended.sessions.add("s")

    with pytest.raises(ProblemError, match="unauthorised") as refused:
        tokens.claims(b"Bearer a")
    assert (b"www-authenticate", b'Bearer error="invalid_token"') in refused.value.headers
    assert issuer.checked == [b"a"]


@pytest.mark.parametrize(("seconds_ago", "enough"), [(0, True), (600, True), (640, False), (10**9, False)])
def test_danger_needs_a_factor_of_the_last_ten_minutes(seconds_ago: int, enough: bool) -> None:
    claims = Claims(uuid4(), "s", frozenset(), 0, factor_at=int(time.time()) - seconds_ago)

    if enough:
        recently_proven(claims)
        return
    with pytest.raises(ProblemError, match="step-up-needed") as refused:
        recently_proven(claims)
    answer = refused.value.answer()
    assert answer.status == 401
    challenge = dict(answer.headers)[b"www-authenticate"]
    assert challenge == b'Bearer error="insufficient_user_authentication", max_age="600"'


def test_no_token_is_nobody(issuer: Issuer) -> None:
    assert Tokens(Settings(), NOBODY).claims(None) is None
