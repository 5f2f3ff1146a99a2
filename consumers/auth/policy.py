"""What identity refuses although it is well shaped, as refusals that say which rule it was."""

import unicodedata
from collections.abc import Container, Iterable
from functools import cache

from consumers.auth import addresses, blocklist, passwords
from consumers.auth.addresses import AddressError
from consumers.auth.config import AuthSettings
from consumers.auth.handles import is_reserved
from infra.runtime import Refusal
from infra.sealing import unb64


def handle(wanted: str) -> Refusal | None:
    """Why nobody may have this handle, or None."""
    return Refusal("handle_reserved") if is_reserved(wanted) else None


def password(wanted: str, names: Iterable[str], *, second_factor: bool = False) -> Refusal | None:
    """The first rule that this password breaks, or None; see `passwords.broken_rules`."""
    broken = passwords.broken_rules(wanted, names, breached(), second_factor=second_factor)
    return Refusal(f"password_{broken[0].rule}") if broken else None


@cache
def breached() -> Container[str]:
    """The passwords that breaches have made known, as the settings name them. Raises BreachedFileError."""
    return blocklist.breached(AuthSettings().breached)


def email(wanted: str) -> Refusal | None:
    """Why no mail can be sent there, or None."""
    try:
        addresses.deliverable(wanted)
    except AddressError:
        return Refusal("email_invalid")
    return None


def mailbox(address: str) -> str:
    """What all spellings of one e-mail address share; what is none, in lower case: nobody has it."""
    try:
        return addresses.normalised(address)
    except AddressError:
        return unicodedata.normalize("NFC", address.strip()).lower()


def unb64_or_nothing(text: str) -> bytes:
    """Base64url, or no bytes at all for what is none."""
    try:
        return unb64(text)
    except ValueError:
        return b""
