"""Which passwords attackers try first: what zxcvbn counts as quickly guessed, and a file of breached ones."""

import hashlib
import mmap
import re
import unicodedata
from collections.abc import Container
from itertools import pairwise
from pathlib import Path
from typing import Final

from zxcvbn import zxcvbn

STRETCH: Final = 24
"""Characters that zxcvbn gets at once: its time explodes on `4@8({` and the like (24: 0.04 s, 128: 3.9 s)."""
SHA1: Final = re.compile(rb"[0-9A-Fa-f]{40}(?:[:\r\n]|\Z)")
HEX: Final = 40
PROBES: Final = 256


class BreachedFileError(RuntimeError):
    """The file of breached passwords cannot be used; the text says what to do."""


def is_guessable(password: str, guesses: int) -> bool:
    """Whether fewer than so many guesses find it, by zxcvbn's count.

    It knows 30,000 leaked passwords, words, names, dates, keyboard walks, sequences and repeats, and a few of
    them in a row, as in `passwordpassword`: against that, length alone does not help. A long one is as good
    as its best stretch.
    """
    unit = _repeated(password)
    stretches = (unit[start : start + STRETCH] for start in range(0, len(unit), STRETCH))
    return all(zxcvbn(stretch)["guesses"] < guesses for stretch in stretches)


def breached(path: Path | None) -> Container[str]:
    """The passwords in this file, in either case of letters; none without a file.

    The file has a password a line and is read into memory, or `SHA1:count` lines sorted by hash (Have I Been
    Pwned's download), which stay on disk. Raises BreachedFileError.
    """
    if path is None:
        return frozenset()
    try:
        with path.open("rb") as file:
            if SHA1.match(file.read(HEX + 1)):
                return HashFile(path)
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise BreachedFileError(f"PICKLY_AUTH_BREACHED: {path} cannot be read ({error.strerror})") from None
    if not text.strip():
        raise BreachedFileError(f"PICKLY_AUTH_BREACHED: {path} is empty; fill it or leave the setting out")
    return Lines(text)


class Lines(Container[str]):
    """Passwords, one a line."""

    def __init__(self, text: str) -> None:
        self._folded = frozenset(map(_folded, text.splitlines()))

    def __contains__(self, password: object) -> bool:
        return isinstance(password, str) and _folded(password) in self._folded


class HashFile(Container[str]):
    """SHA-1 of passwords in hexadecimal, sorted, one a line; found by halving, never read as a whole."""

    def __init__(self, path: Path) -> None:
        """Probes whether the file is sorted. Raises BreachedFileError."""
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        size = len(self._data)
        probes = [self._hash(self._begin(0, size * part // PROBES)) for part in range(PROBES)]
        if any(one > other for one, other in pairwise(probes)):
            raise BreachedFileError(
                f"PICKLY_AUTH_BREACHED: {path} is not sorted by hash; take the download that is, or sort it"
            )

    def __contains__(self, password: object) -> bool:
        return isinstance(password, str) and any(map(self._has, {password, _folded(password)}))

    def _has(self, password: str) -> bool:
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        low, high = 0, len(self._data)
        while low < high:
            begin = self._begin(low, (low + high) // 2)
            found = self._hash(begin)
            if found == wanted:
                return True
            if found < wanted:
                end = self._data.find(b"\n", begin, high)
                low = high if end < 0 else end + 1
            else:
                high = begin
        return False

    def _begin(self, low: int, middle: int) -> int:
        """Where the line at `middle` begins, if not before `low`, which is the beginning of one."""
        return max(low, self._data.rfind(b"\n", low, middle) + 1)

    def _hash(self, begin: int) -> bytes:
        return self._data[begin : begin + HEX].upper()


def _folded(password: str) -> str:
    return unicodedata.normalize("NFC", password).casefold()


def _repeated(text: str) -> str:
    """The shortest beginning that, twice or more and perhaps cut off, makes the whole text; else the text."""
    return next((text[:n] for n in range(1, len(text) // 2 + 1) if text.startswith(text[n:])), text)
