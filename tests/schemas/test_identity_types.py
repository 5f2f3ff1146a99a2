"""The shape of handles, addresses and passwords: what is taken or refused, and in which form it is kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.identity_types import Email, Handle, Password, PasswordGiven

KINDS: dict[str, TypeAdapter[Any]] = {
    "handle": TypeAdapter(Handle),
    "email": TypeAdapter(Email),
    "password": TypeAdapter(Password),
    "given": TypeAdapter(PasswordGiven),
}


def refusal(kind: str, value: object) -> str:
    with pytest.raises(ValidationError) as refused:
        KINDS[kind].validate_python(value, strict=True)
    return refused.value.errors()[0]["type"]


@pytest.mark.parametrize("handle", ["ana", "a1b", "a.b", "a_b-c.d", "x" * 30, "a0000", "user-007", "m.e"])
def test_a_handle_is_taken(handle: str) -> None:
    assert KINDS["handle"].validate_python(handle) == handle


def test_a_handle_is_kept_in_lower_case() -> None:
    assert KINDS["handle"].validate_python("Ana.BO") == "ana.bo"


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        ("", "string_too_short"),
        ("ab", "string_too_short"),
        ("x" * 31, "string_too_long"),
        *(
            (bad, "string_pattern_mismatch")
            for bad in (
                "1ana", "_ana", ".ana", "-ana", "ana_", "ana.", "ana-", "a..b", "a_-b", "a.-b", "an a",
                " ana", "ana ", "ana\n", "an\u00e4", "\u0430na", "\u212aana", "an\u0131", "a\u0660b",
                "\uff41na", "a@b", "a/b", "a%b", "a+b", "a\0b", "a\u200db", "123",
            )
        ),
        (None, "string_type"),
        (123, "string_type"),
    ],
)  # fmt: skip
def test_what_is_no_handle_is_refused(handle: object, why: str) -> None:
    assert refusal("handle", handle) == why


@pytest.mark.parametrize(
    "address",
    [
        "a@b.org", "ana@example.org", "ana.bo+books@mail.example.co.uk", "o'neil@example.org", "a=b@c-d.org",
        "1@2.org", "j\u00fcrgen@example.org", "ana@b\u00fccher.example", "ana@xn--bcher-kva.example",
        "\u0909\u092a\u092f\u094b\u0917@\u0921\u093e\u091f\u093e.\u092d\u093e\u0930\u0924", "_@example.org",
        "a!#$%&'*+/=?^`{|}~-b@example.org", "Ana@Example.ORG", f"{'x' * 64}@example.org", "a@3com.museum",
        f"a@{'x' * 63}.{'y' * 63}.{'z' * 63}.org", f"a@{'.'.join('bcdefg' * 6)}.org",
    ],
)  # fmt: skip
def test_an_address_is_taken_as_it_was_written(address: str) -> None:
    assert KINDS["email"].validate_python(address) == address


def test_an_address_is_kept_without_white_space_around_it_and_in_nfc() -> None:
    assert KINDS["email"].validate_python(" ju\u0308rgen@example.org\u00a0") == "j\u00fcrgen@example.org"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "string_too_short"),
        ("a@b.c", "string_too_short"),
        (f"a@{'b.' * 127}org", "string_too_long"),
        *(
            (bad, "value_error")
            for bad in (
                "ana.example.org", "@example.org", "ana.bo@", "ana@localhost", "ana@@example.org",
                "a@b@example.org", "ana bo@example.org", "ana\t@example.org", "ana\n@example.org",
                "ana@exam ple.org", ".a@b.org", "ana\0@example.org", "a\u200db@example.org",
                "a\u202eb@example.org", "a.@b.org", "a..b@b.org", '"ana"@example.org',
                "ana(work)@example.org", "<ana@example.org>", "Ana <ana@example.org>",
                "ana@example.org,bo@example.org", "ana@[127.0.0.1]", "ana@127.0.0.1", "ana@[IPv6:::1]",
                "ana@example..org", "ana@.example.org", "ana@example.org.", "ana@-example.org",
                "ana@example-.org", "ana@example.-org", "ana@example.o", "ana@example.123",
                "ana@exa_mple.org", "ana@example.org\u3002", f"{'x' * 65}@example.org",
                f"{chr(0xe4) * 33}@example.org", f"ana@{'x' * 64}.org", "ana@b!.org",
                "ana@exa\u00admple.org", "mailto:ana@example.org", "ana\\@example.org",
                "ana;bo@example.org", "ana%00\r\nBcc: bo@example.org",
                f"a@{'x' * 63}.{'y' * 63}.{'z' * 63}.{chr(0xe4) * 40}",
            )
        ),
        (None, "string_type"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: object, why: str) -> None:
    assert refusal("email", address) == why


@given(st.emails())
def test_whatever_hypothesis_calls_an_address_is_taken(address: str) -> None:
    assert KINDS["email"].validate_python(address) == address


@pytest.mark.parametrize(("kind", "shortest"), [("password", 8), ("given", 1)])
def test_a_password_has_a_shortest_and_a_longest_length(kind: str, shortest: int) -> None:
    for length in (shortest, 128):
        assert KINDS[kind].validate_python("x" * length) == "x" * length
    assert refusal(kind, "x" * (shortest - 1)) == "string_too_short"
    assert refusal(kind, "x" * 129) == "string_too_long"


@pytest.mark.parametrize(
    "password",
    ["        ", "  two  spaces  ", "\U0001f511" * 8, "\u05e1\u05d9\u05e1\u05de\u05d0 12", "a\u00a0" * 4],
)
def test_any_visible_text_and_white_space_is_a_password(password: str) -> None:
    assert KINDS["password"].validate_python(password) == password


def test_a_password_is_counted_in_characters_after_nfc() -> None:
    assert KINDS["password"].validate_python("e\u0301" * 128) == "\u00e9" * 128
    assert refusal("password", "e\u0301" * 7) == "string_too_short"


@pytest.mark.parametrize("kind", ["password", "given"])
@pytest.mark.parametrize("char", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\u2028", "\ud800"])
def test_what_no_keyboard_field_gives_is_no_password(kind: str, char: str) -> None:
    assert refusal(kind, f"long enough{char}") == "value_error"


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(max_size=40) | st.emails() | st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{2,12}"))
def test_what_was_taken_once_is_taken_again_unchanged(kind: str, text: str) -> None:
    try:
        once = KINDS[kind].validate_python(text)
    except ValidationError:
        return
    assert KINDS[kind].validate_python(once) == once


def test_the_schema_tells_a_client_the_shapes() -> None:
    assert KINDS["email"].json_schema() == {
        "type": "string", "minLength": 6, "maxLength": 254, "format": "email"
    }  # fmt: skip
    assert KINDS["handle"].json_schema()["pattern"].startswith("^[A-Za-z]")
    assert KINDS["password"].json_schema() == {"type": "string", "minLength": 8, "maxLength": 128}
