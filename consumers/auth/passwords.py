"""Which passwords may be set: NIST SP 800-63B-4, 3.1.1.2. Length counts, composition does not."""

import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from consumers.auth.blocklist import is_guessable
from consumers.auth.handles import BRAND
from schemas.identity_types import PASSWORD_MAX, PASSWORD_MIN

PASSWORD_MIN_ALONE: Final = 15
GUESSES: Final = 10**7
"""Beside a second factor: one word and a year fall below, 8 random characters (10^8) do not."""
GUESSES_ALONE: Final = 10**9
"""Three everyday words in a row fall below, four, or three of a large vocabulary, do not."""
NAME_MIN: Final = 4
"""Letters and digits of a name that count: a handle of two would be in half of all passwords."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a password breaks, and what to tell its owner; never the password."""

    rule: Literal["too_short", "too_long", "common", "breached", "similar"]
    text: str


COMMON: Final = Broken(
    "common",
    "This password is among the first that are tried. Take several words that do not belong together.",
)
BREACHED: Final = Broken(
    "breached", "This password was in a data breach and is tried first. Take another one."
)
SIMILAR: Final = Broken(
    "similar", "This password is too close to your handle, name or e-mail address, or to Pickly's name."
)


def broken_rules(
    password: str, names: Iterable[str], breached: Container[str], *, second_factor: bool
) -> list[Broken]:
    """Every rule that this password breaks, none if it may be set.

    `names`: handle, display name, and local part of the e-mail address. `second_factor`: whether signing in
    asks for one besides.
    """
    text = unicodedata.normalize("NFC", password)
    least = PASSWORD_MIN if second_factor else PASSWORD_MIN_ALONE
    if len(text) > PASSWORD_MAX:
        return [Broken("too_long", f"A password has at most {PASSWORD_MAX} characters.")]
    broken = []
    if len(text) < least:
        broken.append(Broken("too_short", f"Take a password of {least} characters or more."))
    if is_guessable(text, GUESSES if second_factor else GUESSES_ALONE):
        broken.append(COMMON)
    if text in breached:
        broken.append(BREACHED)
    if _is_similar(text, names):
        broken.append(SIMILAR)
    return broken


def _is_similar(password: str, names: Iterable[str]) -> bool:
    """Whether too little is left of it without the names, their words, and what is a part of one."""
    bare = _bare(password)
    known = {_bare(part) for name in (*names, BRAND) for part in (name, *_words(name))}
    long_enough = sorted((name for name in known if len(name) >= NAME_MIN), key=len, reverse=True)
    rest = bare
    for name in long_enough:
        rest = "" if len(rest) >= NAME_MIN and rest in name else rest.replace(name, "")
    return rest != bare and len(password) - len(bare) + len(rest) < PASSWORD_MIN


def _words(name: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in name).split()


def _bare(text: str) -> str:
    """Its letters and digits in one case, without accents."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold())))
