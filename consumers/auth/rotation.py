"""What the use of a refresh token leads to: a successor, the same one again, or the end of its family."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from consumers.auth.refresh_tokens import RefreshToken, digest, genuine, successor

GRACE: Final = timedelta(seconds=60)
"""How long the parent of the current token may come again: the answer to a refresh can get lost."""


@dataclass(frozen=True, slots=True)
class Family:
    """What is stored of a session's tokens. `parent` is None until the first refresh."""

    current: bytes
    """SHA-256 of the newest token."""
    parent: bytes | None
    """SHA-256 of the token that `current` replaced."""
    rotated_at: datetime
    """When `current` replaced it; of the first token, when the session began."""
    expires_at: datetime
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Rotate:
    """Store `family` and answer with `token`."""

    token: RefreshToken
    family: Family


@dataclass(frozen=True, slots=True)
class Repeat:
    """Store nothing and answer with `token`: it is the current one, whose first answer got lost."""

    token: RefreshToken


class No(StrEnum):
    """Why there is no successor. After REPLAY the family must be revoked; the others change nothing."""

    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    REPLAY = "replay"


def decide(stored: Family | None, key: bytes, presented: RefreshToken, at: datetime) -> Rotate | Repeat | No:
    """Decide about one use of a token at time `at`; `key` is the family key of its session."""
    if stored is None or not genuine(key, presented):
        return No.UNKNOWN
    if stored.revoked:
        return No.REVOKED
    if at >= stored.expires_at:
        return No.EXPIRED
    used = digest(presented)
    if used == stored.current:
        token = successor(key, presented)
        return Rotate(token, replace(stored, current=digest(token), parent=used, rotated_at=at))
    if used == stored.parent and at - stored.rotated_at <= GRACE:
        return Repeat(successor(key, presented))
    return No.REPLAY  # we made it, and it is neither: two parties hold tokens of this family
