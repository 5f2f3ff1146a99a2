"""Prefer and If-Match, in the spellings that their RFCs allow."""

import pytest

from gateway.problems import ProblemError
from gateway.routing.preconditions import version, wait_seconds


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        (b"", None),
        (b"wait=5", 5),
        (b"WAIT = 5", 5),
        (b'wait="5"', 5),
        (b"wait=0.5", 0.5),
        (b"wait=10", 10),
        (b"wait=11", 10),
        (b"wait=999999", 10),
        (b"wait=0", None),
        (b"respond-async", None),
        (b"respond-async, wait=3", 3),
        (b"wait=3; foo=bar", 3),
        (b"wait=3, wait=7", 3),
        (b"wait=-1", None),
        (b"wait=x", None),
        (b"wait=1e3", None),
        (b"wait", None),
        (b"waiting=3", None),
        (b"\xff", None),
    ],
)
def test_how_long_somebody_prefers_to_wait(prefer: bytes | None, seconds: float | None) -> None:
    assert wait_seconds(prefer) == seconds


@pytest.mark.parametrize(
    ("if_match", "expected"),
    [(b'"1-00ff"', 1), (b' "12-0123456789abcdef" ', 12), (b'"7"', 7), (b"*", None), (None, None)],
)
def test_the_version_is_what_comes_before_the_dash(if_match: bytes | None, expected: int | None) -> None:
    assert version(if_match, needed=False) == expected


@pytest.mark.parametrize(
    "if_match", [b"", b"1", b'"1', b'"-1"', b'"1-x"', b'W/"1-00"', b'"1-00", "2-00"', b'"' + b"9" * 19 + b'"']
)
def test_a_tag_that_we_never_gave_matches_nothing(if_match: bytes) -> None:
    with pytest.raises(ProblemError, match="stale"):
        version(if_match, needed=False)


def test_an_edit_cannot_do_without() -> None:
    with pytest.raises(ProblemError, match="precondition-required"):
        version(None, needed=True)
