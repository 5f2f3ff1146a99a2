"""E-mail addresses: where mail goes, which spellings are one mailbox, and what of one may be shown."""

import unicodedata

import idna

from schemas.identity_types import shaped_like_an_address


class AddressError(ValueError):
    """No mail can be sent there; the text says why and holds nothing of the address."""


def deliverable(address: str) -> str:
    """What mail is sent to: the part before the @ as written, the domain in ASCII and lower case.

    Raises AddressError when it has not the shape of an address or its domain is none that DNS could know.
    """
    try:
        local, _, domain = shaped_like_an_address(unicodedata.normalize("NFC", address)).rpartition("@")
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
        return shaped_like_an_address(f"{local}@{ascii_domain}")
    except idna.IDNAError:
        raise AddressError("the part after the @ is not a domain name, as in ana@example.org") from None
    except ValueError as error:
        raise AddressError(str(error)) from None


def normalised(address: str) -> str:
    """What two spellings of one mailbox share: in lower case, for look-up only; mail goes to `deliverable`.

    Tags (`ana+books@`) and dots stay: which of them a provider ignores only it knows, and where it ignores
    none, two people would be one. Raises AddressError.
    """
    return deliverable(unicodedata.normalize("NFC", address).lower())


def masked(address: str) -> str:
    """Enough for its owner to know it again, for nobody else to write to it: `a***@e***.org`."""
    local, _, domain = address.rpartition("@")
    name, _, top = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***.{top}"
