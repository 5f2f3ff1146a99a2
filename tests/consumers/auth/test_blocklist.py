"""What is guessed quickly, and breached passwords in a file."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from consumers.auth.blocklist import BreachedFileError, HashFile, Lines, breached, is_guessable

LISTED = FREQUENCY_LISTS["passwords"]
LEAKED = [f"leaked {n}" for n in range(3_000)]


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def hash_lines(passwords: list[str], end: str = "\r\n") -> str:
    return "".join(f"{line}:{n + 1}{end}" for n, line in enumerate(sorted(map(sha1, passwords))))


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_the_list_of_leaked_passwords_is_long_enough() -> None:
    assert len(set(LISTED)) >= 20_000


@pytest.mark.parametrize(
    "change", [str, str.capitalize, str.upper, lambda word: word + "1", lambda word: word * 2]
)
def test_leaked_passwords_are_guessed_quickly(change: Callable[[str], str]) -> None:
    assert [word for word in LISTED[::100] if not is_guessable(change(word), 10**7)] == []


@pytest.mark.long
def test_every_leaked_password_is_guessed_quickly() -> None:
    assert [word for word in LISTED if not is_guessable(word, 10**7)] == []


@pytest.mark.parametrize(
    "unit", ["a", "ab", "abc", "1", "12", "1234567890", "password", "qwertyuiop", "Zq9", "le mot "]
)
@pytest.mark.parametrize("length", [15, 16, 23, 64, 127, 128])
def test_repeating_something_short_helps_nobody(unit: str, length: int) -> None:
    assert is_guessable((unit * length)[:length], 10**9)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3), st.integers(8, 128))
def test_whatever_is_repeated(unit: str, length: int) -> None:
    assert is_guessable((unit * length)[:length], 10**9)


def test_a_long_password_is_as_good_as_its_best_stretch() -> None:
    weak = "password" * 6

    assert is_guessable(weak, 10**9)
    assert not is_guessable(weak + "kv2#Wq-zz81Lp0c!", 10**9)


def test_no_password_of_the_greatest_length_takes_long_to_judge() -> None:
    """zxcvbn alone would try 4@8({[<3 letter by letter over all of it, for seconds."""
    assert not is_guessable(("4@8({[<369&#!1/|0$5+7%2" * 6)[:127] + "x", 10**9)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_line_of_a_sorted_file_is_found_and_nothing_else(tmp_path: Path, end: str) -> None:
    file = breached(written(tmp_path / "hashes", hash_lines(LEAKED, end)))

    assert isinstance(file, HashFile)
    assert [password for password in LEAKED if password not in file] == []
    assert [n for n in range(3_000) if f"safe {n}" in file] == []


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_small_files_are_searched_to_both_ends(tmp_path: Path, size: int) -> None:
    file = breached(written(tmp_path / "hashes", hash_lines(LEAKED[:size]).rstrip()))

    assert [password in file for password in LEAKED[: size + 3]] == [True] * size + [False] * 3


def test_hashes_need_no_count_and_may_be_in_lower_case(tmp_path: Path) -> None:
    lines = "\n".join(sorted(map(sha1, LEAKED))).lower()
    file = breached(written(tmp_path / "hashes", lines))

    assert isinstance(file, HashFile)
    assert LEAKED[17] in file
    assert "safe" not in file


def test_a_leaked_password_is_found_in_other_capitals(tmp_path: Path) -> None:
    for name, text in (("hashes", hash_lines(LEAKED)), ("lines", "\n".join(LEAKED))):
        file = breached(written(tmp_path / name, text))
        assert "LEAKED 17" in file
        assert "LEAKED 17!" not in file


def test_a_password_that_was_leaked_with_capitals_is_found_as_it_is(tmp_path: Path) -> None:
    for name, text in (("hashes", hash_lines(["Straße 9"])), ("lines", "Stra\u00dfe 9\n")):
        assert "Straße 9" in breached(written(tmp_path / name, text))
    assert "STRASSE 9" in breached(tmp_path / "lines")


def test_a_file_of_plain_passwords_is_taken_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes("mountain bike\r\ncafe\u0301 noir\n".encode() + b"latin \xe9\nlast one")
    file = breached(path)

    assert isinstance(file, Lines)
    assert all(word in file for word in ("mountain bike", "caf\u00e9 noir", "last one"))
    assert not any(word in file for word in ("mountain", "latin ", "", "mountain bike\r"))


def test_without_a_file_nothing_is_breached() -> None:
    assert "password" not in breached(None)


@pytest.mark.parametrize(
    ("text", "what_to_do"),
    [
        ("".join(f"{sha1(password)}:1\n" for password in LEAKED), "sort it"),
        ("", "fill it"),
        (" \n\n", "fill it"),
    ],
)
def test_a_file_that_would_find_nothing_is_refused(tmp_path: Path, text: str, what_to_do: str) -> None:
    with pytest.raises(BreachedFileError, match=what_to_do):
        breached(written(tmp_path / "file", text))


def test_a_file_that_is_not_there_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(BreachedFileError, match=r"PICKLY_AUTH_BREACHED.*cannot be read"):
        breached(tmp_path / "nowhere")
