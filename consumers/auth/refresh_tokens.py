"""Refresh tokens: base64url of session id (16 bytes), secret (32) and tag (16), each made from its parent.

A token is made of its family's key and its parent alone, so whoever repeats a refresh gets the same successor
and no secret has to be stored.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

SECRET: Final = 32
TAG: Final = 16
RAW: Final = 16 + SECRET + TAG
TEXT: Final = re.compile(r"[A-Za-z0-9_-]{86}")
"""What `RAW` bytes are in base64url without padding."""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token in its parts. Its representation shows the session only."""

    session: UUID
    secret: bytes = field(repr=False)
    tag: bytes = field(repr=False)

    def raw(self) -> bytes:
        """The 64 bytes that the text encodes."""
        return self.session.bytes + self.secret + self.tag

    def text(self) -> str:
        """What the client keeps: 86 characters. This is the secret itself: only for the sealed answer."""
        return base64.urlsafe_b64encode(self.raw()).rstrip(b"=").decode()


def family_key(root_key: bytes, session: UUID) -> bytes:
    """The key (32 bytes) of all tokens of one session. Raises ValueError for a root key below 32 bytes."""
    if len(root_key) < 32:
        raise ValueError("the root key of refresh tokens has fewer than 32 bytes")
    return _mac(root_key, b"pickly refresh family", session.bytes)


def first(family: bytes, session: UUID, seed: bytes) -> RefreshToken:
    """The first token of a family; `seed` is 32 random bytes, else ValueError."""
    if len(seed) != SECRET:
        raise ValueError("the seed of a family is not 32 bytes")
    return _token(family, session, _mac(family, b"first", seed))


def successor(family: bytes, token: RefreshToken) -> RefreshToken:
    """The one token that may follow `token`, however often it is asked for."""
    return _token(family, token.session, _mac(family, token.secret))


def genuine(family: bytes, token: RefreshToken) -> bool:
    """Whether we made this token. Who knows only the session id cannot make one, so cannot end the family."""
    return hmac.compare_digest(_tag(family, token.session, token.secret), token.tag)


def digest(token: RefreshToken) -> bytes:
    """What is stored: SHA-256, 32 bytes. Nothing slower is needed, because nobody can guess 256 bits."""
    return hashlib.sha256(token.raw()).digest()


def parse(text: str) -> RefreshToken | None:
    """The token in its one spelling, or None. Says nothing about who made it: see `genuine`."""
    if not TEXT.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text + "==")
    token = RefreshToken(UUID(bytes=raw[:16]), raw[16:-TAG], raw[-TAG:])
    return token if token.text() == text else None  # the four spare bits of the last character must be 0


def _token(family: bytes, session: UUID, secret: bytes) -> RefreshToken:
    return RefreshToken(session, secret, _tag(family, session, secret))


def _tag(family: bytes, session: UUID, secret: bytes) -> bytes:
    return _mac(family, b"tag", session.bytes, secret)[:TAG]


def _mac(key: bytes, *parts: bytes) -> bytes:
    """The three uses of the family key cannot collide: their inputs have 32, 37 and 51 bytes."""
    return hmac.digest(key, b"".join(parts), "sha256")
