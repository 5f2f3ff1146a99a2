"""Codes of authenticator apps: those of RFC 6238, from one step around now, each once."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.totp import STEP, step_of, typed, uri

SECRET = b"12345678901234567890"
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
"""Appendix B, SHA-1: Unix time and the code of 8 digits, whose last 6 are the code of 6."""
NOW = 1234567890
CODE = "005924"
ITS_STEP = NOW // STEP


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), RFC_6238.items())
def test_the_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert step_of(code[-6:], SECRET, at(seconds), 0) == seconds // STEP


@pytest.mark.parametrize(("drift", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_good_one_step_early_and_one_step_late(drift: int, good: bool) -> None:
    now = at((ITS_STEP - drift) * STEP)

    assert step_of(CODE, SECRET, now, 0) == (ITS_STEP if good else None)
    assert step_of(CODE, SECRET, now + timedelta(seconds=29.999), 0) == (ITS_STEP if good else None)


def test_a_step_counts_once_and_takes_the_earlier_ones_with_it() -> None:
    assert step_of(CODE, SECRET, at(NOW), ITS_STEP - 1) == ITS_STEP
    assert step_of(CODE, SECRET, at(NOW), ITS_STEP) is None
    assert step_of(CODE, SECRET, at(NOW), ITS_STEP + 1) is None


def test_a_code_that_two_steps_share_is_used_up_for_both() -> None:
    twins = 56188870  # this step and the next have the same code with this secret
    now = at(twins * STEP)

    assert step_of("617002", SECRET, now, 0) == twins + 1
    assert step_of("617002", SECRET, now, twins + 1) is None


@pytest.mark.parametrize("code", ["005 924", " 005924\n", "0 0 5 9 2 4"])
def test_spaces_do_not_matter(code: str) -> None:
    assert step_of(code, SECRET, at(NOW), 0) == ITS_STEP


@pytest.mark.parametrize("code", ["", "05924", "0005924", "89005924", "٠٠٥٩٢٤", "00592x", "-05924", "5924.0"])
def test_what_is_not_six_digits_is_no_code(code: str) -> None:
    assert step_of(code, SECRET, at(NOW), 0) is None


@given(code=st.from_regex(r"[0-9]{6}", fullmatch=True).filter(lambda code: code != CODE))
def test_other_codes_are_wrong(code: str) -> None:
    assert step_of(code, SECRET, at(NOW), ITS_STEP - 1) in (None, ITS_STEP + 1)


def test_another_secret_has_other_codes() -> None:
    assert step_of(CODE, bytes(20), at(NOW), 0) is None


def test_the_address_names_issuer_account_and_secret() -> None:
    address = urlsplit(uri(SECRET, "ana_b.c-d"))

    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/Pickly:ana_b.c-d")
    assert parse_qs(address.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Pickly"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_a_name_cannot_change_the_address() -> None:
    address = urlsplit(uri(SECRET, "ana:b?secret=AAAA&issuer=Bank#é"))

    assert unquote(address.path) == "/Pickly:ana:b?secret=AAAA&issuer=Bank#é"
    assert address.path.count(":") == 1
    assert parse_qs(address.query)["issuer"] == ["Pickly"]
    assert address.fragment == ""


def test_the_typed_secret_is_the_same_secret() -> None:
    assert base64.b32decode(typed(SECRET)) == SECRET


@pytest.mark.parametrize("length", [0, 16, 19, 21])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        uri(bytes(length), "ana")
    with pytest.raises(ValueError, match="20 bytes"):
        step_of(CODE, bytes(length), at(NOW), 0)
