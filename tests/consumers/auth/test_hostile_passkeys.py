"""Answers that no honest browser gives: each is one PasskeyError, whatever the library makes of it."""

import json
from contextlib import nullcontext, suppress
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.passkeys import (
    MAX_RESPONSE,
    PasskeyError,
    authentication_options,
    check_authentication,
    check_registration,
    claimed,
    registration_options,
)
from consumers.auth.relying import Relying
from tests.authenticator import Authenticator, b64, cbor, unb64

RP: Final = Relying("pickly.example", "Pickly", ("https://pickly.example",))
ANA: Final = UUID("0198c0de-0000-7000-8000-00000000000a")
CHALLENGE: Final = bytes(range(32))
DEVICE: Final = Authenticator("https://pickly.example")
REGISTRATION: Final = DEVICE.create(registration_options(RP, ANA, "ana", CHALLENGE, []))
SIGN_IN: Final = DEVICE.get(authentication_options(RP, CHALLENGE))
DATA: Final = unb64(json.loads(REGISTRATION)["response"]["authenticatorData"])
"""32 bytes hash, 1 flags, 4 counter, 16 model, 2 length of the id, 32 id, then the key."""


def with_data(data: bytes, key_id: bytes = DATA[55:87]) -> str:
    """The registration with other authenticator data."""
    answer: dict[str, Any] = json.loads(REGISTRATION) | {"id": b64(key_id), "rawId": b64(key_id)}
    answer["response"]["attestationObject"] = b64(cbor({"fmt": "none", "attStmt": {}, "authData": data}))
    return json.dumps(answer)


def test_an_id_that_was_not_signed_is_refused() -> None:
    with pytest.raises(PasskeyError, match="not the one that was signed"):
        check_registration(with_data(DATA, key_id=bytes(32)), CHALLENGE, RP)


@pytest.mark.parametrize(("length", "good"), [(16, True), (1023, True), (1024, False)])
def test_an_id_beyond_the_standard_is_refused(length: int, good: bool) -> None:
    answer = with_data(DATA[:53] + length.to_bytes(2, "big") + bytes(length) + DATA[87:], bytes(length))

    with nullcontext() if good else pytest.raises(PasskeyError, match="its id is too long"):
        assert check_registration(answer, CHALLENGE, RP).id == bytes(length)


@pytest.mark.parametrize(
    "key",
    [
        cbor(4),  # read as an uncompressed point by its first byte
        cbor({1: 2, 3: -7, -1: 1, -2: bytes(31) + b"\1", -3: bytes(31) + b"\1"}),  # not on the curve
        cbor({1: 2, 3: -7, -1: 1}),
        cbor({1: 2, 3: -65535, -1: 1, -2: bytes(32), -3: bytes(32)}),  # an algorithm that we did not ask for
        b"\x81" * 5000,
        b"",
    ],
)
def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(PasskeyError):
        check_registration(with_data(DATA[:87] + key), CHALLENGE, RP)


def test_the_same_made_by_hand_with_a_good_key_is_taken() -> None:
    assert check_registration(with_data(DATA), CHALLENGE, RP).public_key == DATA[87:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "1" * 5000,
        "[" * 10_000,
        '{"id": "\\ud800"}',
        '{"id": 1e999}',
        "\ud800",
        "é" * 100,
    ],
)
def test_what_is_no_answer_is_one_error(text: str) -> None:
    with pytest.raises(PasskeyError, match="not what a passkey answers"):
        check_registration(text, CHALLENGE, RP)
    with pytest.raises(PasskeyError, match="not what a passkey answers"):
        claimed(text)


def test_a_long_answer_is_refused_unread() -> None:
    long = REGISTRATION + " " * MAX_RESPONSE

    with pytest.raises(PasskeyError, match="it is too long"):
        check_registration(long, CHALLENGE, RP)
    with pytest.raises(PasskeyError, match="too long"):
        claimed(long)


@given(at=st.integers(0, len(SIGN_IN) - 1), text=st.text(min_size=1, max_size=3))
def test_a_damaged_sign_in_is_refused_unless_it_says_the_same(at: int, text: str) -> None:
    damaged = SIGN_IN[:at] + text + SIGN_IN[at + len(text) :]
    credential = check_registration(REGISTRATION, CHALLENGE, RP)

    with suppress(PasskeyError):
        use = check_authentication(damaged, CHALLENGE, credential, ANA, RP, named=False)
        assert use == check_authentication(SIGN_IN, CHALLENGE, credential, ANA, RP, named=False)
