"""Recovery codes: easy to read and to type, impossible to guess, and bound to one account."""

import hashlib
import hmac
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.recovery import COUNT, CROCKFORD, RANDOM, codes, matching, normalised, stored

ANA = UUID("0198c0de-0000-7000-8000-00000000000a")
BOB = UUID("0198c0de-0000-7000-8000-00000000000b")
KEY = bytes(range(32))
SEED = hashlib.shake_256(b"recovery").digest(RANDOM)
CODES = codes(SEED)


def kept(account: UUID = ANA, key: bytes = KEY) -> list[bytes]:
    return [stored(code.replace("-", ""), account, key) for code in CODES]


@given(random=st.binary(min_size=RANDOM, max_size=RANDOM))
def test_ten_codes_are_made_and_can_be_typed_as_shown(random: bytes) -> None:
    made = codes(random)

    assert len(made) == COUNT
    assert all(re.fullmatch(r"[0-9a-z]{5}-[0-9a-z]{5}", code) for code in made)
    assert not set("".join(made)) & set("oilu")
    assert [normalised(code) for code in made] == [code.replace("-", "") for code in made]


@given(place=st.integers(0, COUNT - 1), bit=st.integers(0, 49))
def test_each_code_has_fifty_random_bits(place: int, bit: int) -> None:
    random = bytearray(SEED)
    random[place * 7 + bit // 8] ^= 0x80 >> bit % 8

    changed = codes(bytes(random))

    assert [at for at in range(COUNT) if changed[at] != CODES[at]] == [place]


def test_every_character_is_used_equally_often() -> None:
    first = [codes(bytes([byte]) + bytes(RANDOM - 1))[0][0] for byte in range(256)]

    assert {character: first.count(character) for character in CROCKFORD} == dict.fromkeys(CROCKFORD, 8)


@pytest.mark.parametrize("length", [0, RANDOM - 1, RANDOM + 1])
def test_too_little_or_too_much_randomness_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="70 random bytes"):
        codes(bytes(length))


@pytest.mark.parametrize(
    "typed",
    [
        "10ab0-1xyz1",
        "10AB0-1XYZ1",
        " 10ab0 1xyz1\n",
        "10ab01xyz1",
        "1-0-a-b-0-1-x-y-z-1",
        "loabO-Ixyzl",
        "10ab0 – 1xyz1",
        "10ab0—1xyz1",
        "10ab0‑1xyz1",
        "10ab0−1xyz1",
        "10ab0\u00a01xyz1",
        "１０ab0-1xyz1",
    ],
)
def test_what_people_type_is_read_as_they_meant_it(typed: str) -> None:
    assert normalised(typed) == "10ab01xyz1"


@pytest.mark.parametrize(
    "typed",
    ["", "10ab0-1xyz", "10ab0-1xyz11", "10ab0-1xyzu", "10ab0_1xyz1", "10ab0-1xyé1", "10ab0-1xyz1" * 50],
)
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert normalised(typed) is None
    assert matching(typed, kept(), ANA, KEY) is None


@given(typed=st.text(max_size=80))
def test_any_text_is_read_or_refused(typed: str) -> None:
    code = normalised(typed)

    assert code is None or normalised(code) == code


@pytest.mark.parametrize("place", range(COUNT))
def test_each_code_finds_its_own_hash(place: int) -> None:
    assert matching(CODES[place].upper(), kept(), ANA, KEY) == kept()[place]


def test_a_code_that_was_struck_off_is_found_no_more() -> None:
    left = kept()[1:]

    assert matching(CODES[0], left, ANA, KEY) is None
    assert matching(CODES[1], left, ANA, KEY) == left[0]


def test_another_account_or_key_has_other_hashes() -> None:
    assert matching(CODES[0], kept(BOB), ANA, KEY) is None
    assert matching(CODES[0], kept(key=bytes(32)), ANA, KEY) is None
    assert matching(CODES[0], [], ANA, KEY) is None


def test_what_is_kept_is_an_hmac_of_account_and_code() -> None:
    assert stored("10ab01xyz1", ANA, KEY) == hmac.digest(KEY, ANA.bytes + b"10ab01xyz1", "sha256")
