"""What identity refuses although it is well shaped, as refusals that name the field and the rule."""

import unicodedata
from collections.abc import Sequence

from consumers.auth.handles import is_reserved
from infra.runtime import Refusal
from infra.sealing import unb64

ALONE_MIN = 15


def handle(wanted: str) -> Refusal | None:
    """Why nobody may have this handle, or None."""
    return Refusal("handle_reserved") if is_reserved(wanted) else None


def password(wanted: str, *, alone: bool, near: Sequence[str]) -> Refusal | None:
    """Why this password is not good enough, or None.

    `alone`: it is the only factor; `near`: what it must not resemble.
    """
    return Refusal("password_too_short") if alone and len(wanted) < ALONE_MIN else None


def mailbox(address: str) -> str:
    """What all spellings of one e-mail address share."""
    return unicodedata.normalize("NFC", address.strip()).lower()


def unb64_or_nothing(text: str) -> bytes:
    """Base64url, or no bytes at all for what is none."""
    try:
        return unb64(text)
    except ValueError:
        return b""
