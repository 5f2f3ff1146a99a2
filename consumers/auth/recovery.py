"""Recovery codes: ten, for people who lost their other factors. Each works once and is shown once."""

import base64
import hmac
import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from uuid import UUID

COUNT: Final = 10
RANDOM: Final = COUNT * 7
"""How many random bytes `codes` takes."""
LENGTH: Final = 10
"""Characters of a code without its dash; 5 bits each, so 50 bits."""
RFC_4648: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""No i, l, o and u: the first three are read as the digits that they look like."""
SPELLED: Final = str.maketrans(RFC_4648, CROCKFORD)
LOOK_ALIKES: Final = str.maketrans("oil", "011")
BETWEEN: Final = re.compile(r"[\s\u2010-\u2015\u2212-]+")
"""Spaces and the dashes that keyboards and word processors make of a hyphen."""
CODE: Final = re.compile(f"[{CROCKFORD}]{{{LENGTH}}}")


def codes(random: bytes) -> list[str]:
    """Ten codes `xxxxx-xxxxx` out of `RANDOM` random bytes; ValueError for any other number of them."""
    if len(random) != RANDOM:
        raise ValueError(f"recovery codes are made of {RANDOM} random bytes")
    each = (random[start : start + 7] for start in range(0, RANDOM, 7))
    spelled = (base64.b32encode(part)[:LENGTH].decode().translate(SPELLED) for part in each)
    return [f"{code[:5]}-{code[5:]}" for code in spelled]


def normalised(typed: str) -> str | None:
    """The ten characters that somebody meant, whatever case, spaces, dashes and look-alikes; None if none."""
    text = BETWEEN.sub("", unicodedata.normalize("NFKC", typed)).lower().translate(LOOK_ALIKES)
    return text if CODE.fullmatch(text) else None


def stored(code: str, account: UUID, key: bytes) -> bytes:
    """What is kept of a normalised code: HMAC-SHA256, 32 bytes, of the account and the code.

    A slow hash protects what people choose and guessers know; nobody can guess 50 random bits through the
    counters. Who steals the table lacks `key` and can try nothing; with the key too he must search 2^50 codes
    for each account, because the account is part of it.
    """
    return hmac.digest(key, account.bytes + code.encode(), "sha256")


def matching(typed: str, kept: Iterable[bytes], account: UUID, key: bytes) -> bytes | None:
    """The one of `kept` that belongs to what was typed, to be struck off; None if there is none."""
    code = normalised(typed)
    if code is None:
        return None
    sought = stored(code, account, key)
    found = [each for each in kept if hmac.compare_digest(each, sought)]  # all, so the time tells nothing
    return found[0] if found else None
