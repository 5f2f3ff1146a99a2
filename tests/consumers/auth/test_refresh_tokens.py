"""Refresh tokens: one spelling each, one successor each, and none that we did not make."""

import base64
import hashlib
import hmac
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.refresh_tokens import (
    RefreshToken,
    digest,
    family_key,
    first,
    genuine,
    parse,
    successor,
)

ROOT = bytes(range(32))
SESSION = UUID("0198c0de-0000-7000-8000-000000000001")
OTHER_SESSION = UUID("0198c0de-0000-7000-8000-000000000002")
KEY = family_key(ROOT, SESSION)
FIRST = first(KEY, SESSION, bytes(32))

tokens = st.builds(
    RefreshToken, st.uuids(), st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16)
)


@given(token=tokens)
def test_a_token_survives_being_written_and_read(token: RefreshToken) -> None:
    assert parse(token.text()) == token
    assert len(token.text()) == 86


@given(text=st.one_of(st.text(), st.text(alphabet="AZaz09-_=+/ ", min_size=80, max_size=90)))
def test_what_is_no_token_is_not_read_or_has_one_spelling(text: str) -> None:
    token = parse(text)

    assert token is None or token.text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        FIRST.text() + "=",
        FIRST.text() + "==",
        FIRST.text() + "\n",
        " " + FIRST.text(),
        FIRST.text()[:-1],
        FIRST.text() + "A",
        FIRST.text()[:-1] + "é",
        FIRST.text()[:-2] + "+/",
        base64.urlsafe_b64encode(bytes(63)).decode().rstrip("="),
        base64.urlsafe_b64encode(bytes(65)).decode().rstrip("="),
    ],
)
def test_another_spelling_or_length_is_no_token(text: str) -> None:
    assert parse(text) is None


def test_the_spare_bits_of_the_last_character_give_no_second_spelling() -> None:
    text = FIRST.text()
    same_bytes = [text[:-1] + c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    same_bytes = [t for t in same_bytes if base64.urlsafe_b64decode(t + "==") == FIRST.raw()]

    assert len(same_bytes) == 16
    assert [t for t in same_bytes if parse(t)] == [text]


def test_the_first_token_and_its_descendants_are_genuine_and_all_different() -> None:
    line = [FIRST]
    for _ in range(100):
        line.append(successor(KEY, line[-1]))

    assert all(genuine(KEY, token) for token in line)
    assert len({digest(token) for token in line}) == 101
    assert {token.session for token in line} == {SESSION}


def test_the_successor_is_the_hmac_of_the_parent_under_the_family_key() -> None:
    child = successor(KEY, FIRST)

    assert child.secret == hmac.new(KEY, FIRST.secret, hashlib.sha256).digest()
    assert child == successor(KEY, FIRST)


def test_the_digest_is_sha256_of_the_bytes() -> None:
    assert digest(FIRST) == hashlib.sha256(FIRST.raw()).digest()


@given(place=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_token_with_one_bit_changed_is_not_genuine(place: int, bit: int) -> None:
    raw = bytearray(FIRST.raw())
    raw[place] ^= 1 << bit
    changed = parse(base64.urlsafe_b64encode(raw).decode().rstrip("="))

    assert changed is not None
    assert not genuine(KEY, changed)


@given(secret=st.binary(min_size=32, max_size=32), tag=st.binary(min_size=16, max_size=16))
def test_who_knows_only_the_session_makes_no_genuine_token(secret: bytes, tag: bytes) -> None:
    assert not genuine(KEY, RefreshToken(SESSION, secret, tag))


def test_each_session_and_each_root_has_a_family_of_its_own() -> None:
    other = family_key(ROOT, OTHER_SESSION)

    assert len({KEY, other, family_key(bytes(32), SESSION)}) == 3
    assert not genuine(other, FIRST)
    assert not genuine(other, RefreshToken(OTHER_SESSION, FIRST.secret, FIRST.tag))


def test_another_seed_gives_another_first_token_and_never_shows_itself() -> None:
    seed = bytes(range(100, 132))

    assert first(KEY, SESSION, seed) != FIRST
    assert first(KEY, SESSION, seed).secret != seed


def test_short_keys_and_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="root key"):
        family_key(bytes(31), SESSION)
    with pytest.raises(ValueError, match="seed"):
        first(KEY, SESSION, b"")


def test_a_token_in_a_log_shows_its_session_only() -> None:
    shown = repr(FIRST)

    assert str(SESSION) in shown
    assert FIRST.text() not in shown
    assert repr(FIRST.secret) not in shown
    assert repr(FIRST.tag) not in shown
