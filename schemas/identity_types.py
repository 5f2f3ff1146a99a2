"""The shape of handles, e-mail addresses and passwords; what else is refused is policy, in consumers/auth."""

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from schemas.types import CLEAN, LINE

PASSWORD_MIN: Final = 8
"""Characters of a password beside a second factor; where it is the only one, policy asks for more."""
PASSWORD_MAX: Final = 128
HANDLE: Final = r"^[A-Za-z][A-Za-z0-9]*(?:[_.-][A-Za-z0-9]+)*$"
EMAIL_MAX: Final = 254
"""Bytes of an address that SMTP carries: a path of 256 with its angle brackets (RFC 5321 4.5.3.1.3)."""
LOCAL_MAX: Final = 64
DOMAIN: Final = re.compile(r"(?:(?!-)[^.]{1,63}(?<!-)\.)+(?!-|\d+\Z)[^.]{2,63}(?<!-)")
"""At least two labels without hyphens at their ends; the last one is no number, so no IP address passes."""
ATOM: Final = frozenset("!#$%&'*+-/=?^_`{|}~")
"""What a local part may hold besides letters and digits without being quoted (RFC 5322 3.2.3)."""


def shaped_like_an_address(text: str) -> str:
    """Refuse what no mail server would take: `local@domain.name` without comments, quotes or IP addresses.

    Letters and digits may be of any script (RFC 6531). Raises ValueError.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError("an e-mail address has an @, as in ana@example.org")
    if not _fits(local, LOCAL_MAX) or not _is_dotted(local) or not _in_words(local, ATOM):
        raise ValueError("the part before the @ is not one that mail servers take")
    if not DOMAIN.fullmatch(domain) or not _in_words(domain, frozenset("-")):
        raise ValueError("the part after the @ is not a domain name, as in ana@example.org")
    if not _fits(text, EMAIL_MAX):
        raise ValueError(f"an e-mail address has at most {EMAIL_MAX} bytes")
    return text


def _fits(text: str, most: int) -> bool:
    return 1 <= len(text.encode()) <= most


def _is_dotted(text: str) -> bool:
    return all(text.split("."))


def _in_words(text: str, also: frozenset[str]) -> bool:
    """Letters, marks, numbers, dots and `also`: nothing invisible, no space, no second @."""
    return all(c == "." or c in also or unicodedata.category(c)[0] in "LMN" for c in text)


Handle = Annotated[
    str, StringConstraints(min_length=3, max_length=30, pattern=HANDLE), AfterValidator(str.lower)
]
"""Letters, digits and single separators `_.-` between them, a letter first; kept in lower case."""
Email = Annotated[
    str,
    StringConstraints(min_length=6, max_length=EMAIL_MAX, strip_whitespace=True),
    AfterValidator(shaped_like_an_address),
    Field(json_schema_extra={"format": "email"}),
    CLEAN,
    LINE,
]
Password = Annotated[str, StringConstraints(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX), CLEAN, LINE]
"""One to be set, in NFC; lengths count characters, white space included (NIST SP 800-63B-4, 3.1.1.2)."""
PasswordGiven = Annotated[str, StringConstraints(min_length=1, max_length=PASSWORD_MAX), CLEAN, LINE]
"""One to be checked, in NFC: an old one may be shorter than the rules of today."""
