"""What people say about themselves, and what they are called."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from schemas.accounts import AccountState
from schemas.identity_types import Handle
from schemas.message import Command
from schemas.topics import ACCOUNT_COMMANDS, ACCOUNT_EVENTS
from schemas.types import CLEAN, LINE, from_json_array, sorted_unique

TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of what follows (UAX #9): a name could rearrange a page around it."""
LANGUAGE_TAG: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*",
    re.IGNORECASE | re.ASCII,
)
"""Language, script, region and variants of BCP 47 (RFC 5646 section 2.1); people choose no extensions."""
ISO_639_1: Final = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz "
    "ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii "
    "ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi "
    "mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw "
    "sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk "
    "ur uz ve vi vo wa wo xh yi yo za zh zu"
)
"""Without its withdrawn codes. Of the 8,000 codes of three letters only the shape is checked."""
TWO_LETTERS: Final = frozenset(ISO_639_1.split())
HOST: Final = re.compile(r"(?!-)[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE | re.ASCII)
NOT_IN_LINKS: Final = re.compile(r"[\s\\\"<>^`{|}]")


def straight(text: str) -> str:
    """Refuse characters that turn the direction of text. Raises ValueError."""
    if found := TURNING.search(text):
        raise ValueError(f"the character U+{ord(found[0]):04X} is not allowed: it turns the text around it")
    return text


def web_page(link: str) -> str:
    """Refuse all but https addresses of a host, without a user name; they are shown, never fetched.

    Raises ValueError.
    """
    if NOT_IN_LINKS.search(link) or not link.lower().startswith("https://"):
        raise ValueError("must be a web address that begins with https://")
    parts = urlsplit(link)
    if "@" in parts.netloc or parts.hostname is None or not HOST.fullmatch(parts.hostname):
        raise ValueError("must name a host, as in https://example.org/me, and no user")
    return link


def language_tag(text: str) -> str:
    """The tag in its recommended case (RFC 5646 section 2.1.1). Raises ValueError."""
    found = LANGUAGE_TAG.fullmatch(text)
    if found is None or (len(found["language"]) == 2 and found["language"].lower() not in TWO_LETTERS):
        raise ValueError("must be a language as in BCP 47: en, pt-BR, zh-Hant")
    first, *others = text.lower().split("-")
    return "-".join([first, *map(_cased, others)])


def _cased(subtag: str) -> str:
    return {2: subtag.upper(), 4: subtag.title()}.get(len(subtag), subtag)


DisplayName = Annotated[
    str, StringConstraints(max_length=50, strip_whitespace=True), AfterValidator(straight), CLEAN, LINE
]
Bio = Annotated[str, StringConstraints(max_length=500), AfterValidator(straight), CLEAN]
Link = Annotated[
    str,
    StringConstraints(max_length=200, strip_whitespace=True),
    AfterValidator(web_page),
    Field(json_schema_extra={"format": "uri"}),
    CLEAN,
    LINE,
]
Links = Annotated[
    tuple[Link, ...], Field(max_length=5), AfterValidator(sorted_unique), BeforeValidator(from_json_array)
]
Language = Annotated[str, StringConstraints(max_length=35), AfterValidator(language_tag)]
TimeZone = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*$")
]
"""The shape of an IANA name; whether there is such a zone is asked where people enter it."""


class AccountCommand(Command):
    """A wish about one's own account."""

    subject = "accounts"
    key_fields = ("account_id",)
    done_when = ("read_accounts", "read_picks")
    author_field = "account_id"

    account_id: UUID


class ChangeProfile(AccountCommand, topic=ACCOUNT_COMMANDS):
    """Change what an account says about itself. Only the fields that are set change."""

    display_name: DisplayName | None = None
    bio: Bio | None = None
    links: Links | None = None
    language: Language | None = None
    time_zone: TimeZone | None = None

    def body(self) -> bytes:
        """Unset fields stay out."""
        return self.model_dump_json(exclude_unset=True).encode()


class ChangeHandle(AccountCommand, topic=ACCOUNT_COMMANDS):
    """Take another handle; the old one leads to the account for a year."""

    handle: Handle


class ProfileChanged(AccountState, topic=ACCOUNT_EVENTS):
    """Its owner says something else about himself."""


class HandleChanged(AccountState, topic=ACCOUNT_EVENTS):
    """It has another handle."""
