"""Field types: what text may hold, how it is counted, and one form for ratings and times."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.types import Note, Rating, ReactionKind, Ref, Tags, Text, ThingKind, Title, When

KINDS: dict[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(Text),
    "note": TypeAdapter(Note),
    "title": TypeAdapter(Title),
    "ref": TypeAdapter(Ref),
    "tags": TypeAdapter(Tags),
    "rating": TypeAdapter(Rating),
    "when": TypeAdapter(When),
}


def refusal(kind: str, value: object, *, strict: bool = False) -> str:
    with pytest.raises(ValidationError) as refused:
        KINDS[kind].validate_python(value, strict=strict)
    return refused.value.errors()[0]["type"]


@pytest.mark.parametrize("kind", ["text", "note", "title", "ref"])
@pytest.mark.parametrize("char", ["\x00", "\x01", "\x0b", "\r", "\x1b", "\x7f", "\x85", "\x9f", "\ud800"])
def test_what_postgres_cannot_store_or_a_terminal_obeys_is_refused(kind: str, char: str) -> None:
    assert refusal(kind, f"a{char}b") == "value_error"


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "\u200d\U0001f469", "\u05d0", "\ufffd", "\U0010fffd"])
def test_other_text_is_taken_as_it_is(text: str) -> None:
    assert KINDS["text"].validate_python(text) == text


@pytest.mark.parametrize("kind", ["title", "ref"])
@pytest.mark.parametrize("char", ["\n", "\t", "\u2028", "\u2029"])
def test_a_line_is_one_line(kind: str, char: str) -> None:
    assert refusal(kind, f"a{char}b") == "value_error"


def test_text_is_normalised_before_it_is_counted() -> None:
    assert KINDS["title"].validate_python("e\u0301" * 300) == "\u00e9" * 300
    assert refusal("title", "e\u0301" * 301) == "string_too_long"
    assert KINDS["note"].validate_python("\u0958" * 1_000) == "\u0915\u093c" * 1_000
    assert refusal("note", "\u0958" * 1_001) == "string_too_long"


@pytest.mark.parametrize(("kind", "longest"), [("note", 2_000), ("title", 300), ("ref", 2_000)])
def test_text_has_a_longest_length(kind: str, longest: int) -> None:
    assert len(KINDS[kind].validate_python("x" * longest)) == longest
    assert refusal(kind, "x" * (longest + 1)) == "string_too_long"


@pytest.mark.parametrize("title", ["", "   ", "\u00a0", "\u3000"])
def test_a_title_of_nothing_is_refused(title: str) -> None:
    assert refusal("title", title) == "string_too_short"


def test_white_space_around_a_title_does_not_count() -> None:
    assert KINDS["title"].validate_python(" " * 9 + "x" * 300 + "\u00a0") == "x" * 300


def test_tags_are_lower_case_without_repeats_in_the_order_given() -> None:
    assert KINDS["tags"].validate_json('[" Sci-Fi", "noir", "SCI-FI"]', strict=True) == ("sci-fi", "noir")


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ([""], "string_too_short"),
        ([" "], "string_too_short"),
        (["x" * 41], "string_too_long"),
        (["\u0130" * 21], "string_too_long"),
        (["a\nb"], "value_error"),
        ([str(n) for n in range(11)], "too_long"),
        ("abc", "tuple_type"),
        ({"a": 1}, "tuple_type"),
    ],
)
def test_tags_that_are_none_are_refused(tags: object, why: str) -> None:
    assert refusal("tags", tags) == why


@pytest.mark.parametrize("halves", range(1, 11))
def test_a_rating_is_a_half_from_a_half_to_five(halves: int) -> None:
    assert KINDS["rating"].validate_json(json.dumps(halves / 2), strict=True) == halves / 2


@pytest.mark.parametrize("rating", [0, 0.25, 5.5, -1, 4.7, float("nan"), float("inf"), "many", None])
def test_other_ratings_are_refused(rating: object) -> None:
    refusal("rating", rating)


def test_a_rating_is_stored_as_the_half_that_it_almost_is() -> None:
    assert KINDS["rating"].validate_python(3.5000000001) == 3.5


@pytest.mark.parametrize(
    ("given_time", "wire"),
    [
        ("2026-05-31T18:30:00Z", "2026-05-31T18:30:00Z"),
        ("2026-05-31t18:30:00z", "2026-05-31T18:30:00Z"),
        ("2026-05-31 18:30:00.5+02:00", "2026-05-31T16:30:00.500000Z"),
        ("2026-05-31T18:30:00.123456789-05:30", "2026-06-01T00:00:00.123456Z"),
        ("1000-01-01T00:00:00Z", "1000-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_on_the_wire_in_utc(given_time: str, wire: str) -> None:
    time = KINDS["when"].validate_json(json.dumps(given_time), strict=True)

    assert KINDS["when"].dump_json(time).decode() == f'"{wire}"'
    assert KINDS["when"].validate_json(f'"{wire}"') == time


@pytest.mark.parametrize(
    "time",
    [
        "2026-05-31", "2026-05-31T18:30:00", "2026-05-31T18:30Z", "1577836800", 1577836800, 0.5, True, None,
        "2026-02-30T00:00:00Z", "2026-05-31T24:00:00Z", "2026-05-31T18:30:00+24:00", "٢٠٢٦-05-31T18:30:00Z",
        "0999-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "soon",
    ],
)  # fmt: skip
def test_what_is_no_time_of_rfc_3339_is_refused(time: object) -> None:
    refusal("when", time)


@given(st.text())
def test_text_that_is_taken_can_be_stored_and_comes_back_equal(text: str) -> None:
    try:
        taken = KINDS["text"].validate_python(text)
    except ValidationError:
        return
    assert "\x00" not in taken
    assert KINDS["text"].validate_json(KINDS["text"].dump_json(taken)) == taken


@pytest.mark.parametrize("kind", ["title", "tags", "note", "ref"])
@given(text=st.text(max_size=20))
def test_what_was_taken_once_is_taken_again_unchanged(kind: str, text: str) -> None:
    value = [text] if kind == "tags" else text
    try:
        once = KINDS[kind].validate_python(value)
    except ValidationError:
        return
    assert KINDS[kind].validate_python(once) == once


@pytest.mark.parametrize("kind", [ThingKind, ReactionKind])
def test_kinds_are_closed_lists(kind: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python("Book ")
