"""The keys of identity that never touch the database: secrets of this process, one file each.

A file holds lines `<id>:<base64url of 32 bytes>`, the newest first; older ones still open what they closed.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final
from uuid import UUID

from infra.sealing import SealError, decrypt, encrypt, unb64
from infra.settings import settings

KEK: Final = "auth_kek"
LOOKUP: Final = "auth_lookup"
PEPPER: Final = "auth_pepper"
REFRESH: Final = "auth_refresh"


class VaultError(RuntimeError):
    """A key file is not what it must be."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Keys by id; `newest` is the id of the one for new work."""

    newest: str
    keys: Mapping[str, bytes]

    @property
    def key(self) -> bytes:
        """The key for new work."""
        return self.keys[self.newest]


@cache
def ring(name: str) -> Ring:
    """The keys in one secret file; raises VaultError."""
    try:
        pairs = [line.split(":", 1) for line in settings().secret(name).splitlines()]
        keys = {id: unb64(text) for id, text in pairs}
    except ValueError:
        raise VaultError(f"the secret {name} must hold lines `<id>:<base64url of 32 bytes>`") from None
    if not keys or any(len(key) != 32 for key in keys.values()) or any(len(id) > 8 for id in keys):
        raise VaultError(f"the secret {name} must hold keys of 32 bytes, with ids of at most 8 characters")
    return Ring(pairs[0][0], keys)


def wrap(nonce: bytes, plain: bytes, about: str) -> bytes:
    """Encrypt under the key-encryption key; `about` is what it may be opened for."""
    kek = ring(KEK)
    return f"{kek.newest}:".encode() + encrypt(kek.key, nonce, plain, about.encode())


def unwrap(wrapped: bytes, about: str) -> bytes:
    """The inverse of `wrap`; raises SealError."""
    id, _, sealed = wrapped.partition(b":")
    key = ring(KEK).keys.get(id.decode("ascii", "replace"))
    if key is None:
        raise SealError(f"the secret {KEK} has no key of the id that this was wrapped with")
    return decrypt(key, sealed, about.encode())


def lookup(kind: str, value: str) -> bytes:
    """The keyed hash (HMAC-SHA256) by which something is found that is not kept in clear."""
    return hmac.digest(ring(LOOKUP).key, f"{kind}/{value}".encode(), hashlib.sha256)


def family_root() -> bytes:
    """The key from which those of refresh token families follow."""
    return ring(REFRESH).key


def data_key_about(account_id: UUID) -> str:
    """What an account's wrapped data key is bound to."""
    return f"data/{account_id}"


def email_about(account_id: UUID) -> bytes:
    """What an account's encrypted e-mail address is bound to."""
    return f"email/{account_id}".encode()
