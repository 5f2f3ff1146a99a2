"""Field types that several messages share: what text may hold, and how long it may be."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

ThingKind = Literal[
    "book", "film", "series", "album", "game", "podcast", "place", "article", "product", "page"
]
ReactionKind = Literal["like", "love", "laugh", "insightful", "thanks"]

UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
LINE_BREAKS: Final = frozenset("\n\t\u2028\u2029")
RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def printable(text: object) -> object:
    """Refuse what PostgreSQL cannot store or a terminal would obey; normalise to NFC.

    Raises ValueError for NUL, other control characters except line feed and tab, and lone surrogates.
    Runs before lengths are checked, which count the characters of the result.
    """
    if not isinstance(text, str) or (text.isascii() and text.isprintable()):
        return text
    if found := UNPRINTABLE.search(text):
        raise ValueError(f"the character U+{ord(found[0]):04X} is not allowed")
    return unicodedata.normalize("NFC", text)


def one_line(text: object) -> object:
    """Refuse line breaks and tabs."""
    if isinstance(text, str) and not LINE_BREAKS.isdisjoint(text):
        raise ValueError("must be one line")
    return text


def lower_case(text: object) -> object:
    """Lower case can be longer than what was given, so it comes before lengths are checked."""
    return text.lower() if isinstance(text, str) else text


def sorted_unique(tags: tuple[str, ...]) -> tuple[str, ...]:
    """The tags without repeats, in the order first given."""
    return tuple(dict.fromkeys(tags))


def from_json_array(value: object) -> object:
    """JSON has no tuples: take an array as one, also under strict validation."""
    return tuple(value) if isinstance(value, list) else value


def in_halves(rating: float) -> float:
    """The half that pydantic's tolerance for multiples has let pass."""
    return round(rating * 2) / 2


def from_rfc3339(value: object) -> object:
    """Refuse what pydantic would also take for a time: numbers of seconds, dates, times without seconds."""
    if isinstance(value, str) and RFC3339.fullmatch(value):
        return datetime.fromisoformat(value.upper())
    if isinstance(value, datetime):
        return value
    raise ValueError("must be a time as in RFC 3339: 2026-05-31T18:30:00Z")


def in_utc(time: datetime) -> datetime:
    """One form on the wire, with Z. Raises ValueError past the year 9999."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie before the year 10000") from None


CLEAN: Final = BeforeValidator(printable)
LINE: Final = BeforeValidator(one_line)
Text = Annotated[str, CLEAN]
Title = Annotated[
    str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True), CLEAN, LINE
]  # the last one runs first, and lengths are checked after all of them
Note = Annotated[str, StringConstraints(max_length=2_000), CLEAN]
Tag = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, strip_whitespace=True),
    CLEAN,
    BeforeValidator(lower_case),
    LINE,
]
Tags = Annotated[
    tuple[Tag, ...], Field(max_length=10), AfterValidator(sorted_unique), BeforeValidator(from_json_array)
]
Rating = Annotated[
    float, Field(ge=0.5, le=5, multiple_of=0.5, allow_inf_nan=False), AfterValidator(in_halves)
]
Ref = Annotated[str, StringConstraints(min_length=1, max_length=2_000), CLEAN, LINE]
When = Annotated[
    AwareDatetime,
    Field(ge=datetime.fromisoformat("1000-01-01T00:00:00+00:00")),
    BeforeValidator(from_rfc3339),
    AfterValidator(in_utc),
]
