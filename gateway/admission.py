"""Who is asking.

Verified tokens are kept by hash until they end, because a signature costs more than a look-up.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.problems import ProblemError
from infra.settings import Settings
from infra.tokens import NO_KEYS, Claims, InvalidTokenError, VerifyingKey, verify

SCHEME: Final = b"bearer "
KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that asks for a command, and the id that this command will have."""

    account_id: UUID
    command_id: UUID


class Tokens:
    """Checks the Authorization header."""

    def __init__(self, settings: Settings, published: Mapping[str, VerifyingKey] = NO_KEYS) -> None:
        """`published` are the keys of identity; it may change while this is used."""
        self._settings = settings
        self._published = published
        self._verified: dict[bytes, Claims] = {}

    def claims(self, authorization: bytes | None) -> Claims | None:
        """Whom the header speaks for, None without one; raises ProblemError (401) for a bad token."""
        if authorization is None:
            return None
        if authorization[: len(SCHEME)].lower() != SCHEME:
            raise unauthorised("Send the token as `Authorization: Bearer <token>`.")
        token = authorization[len(SCHEME) :].strip()
        digest = hashlib.sha256(token).digest()
        known = self._verified.get(digest)
        if known is not None and known.expires_at > time.time():
            return known
        return self._verify(token, digest)

    def _verify(self, token: bytes, digest: bytes) -> Claims:
        self._verified.pop(digest, None)
        try:
            claims = verify(token, settings=self._settings, published=self._published)
        except InvalidTokenError as error:
            raise unauthorised(
                f"The access token was not accepted: {error}.", b' error="invalid_token"'
            ) from None
        if len(self._verified) >= KEPT:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims
        return claims


def unauthorised(detail: str, parameters: bytes = b"") -> ProblemError:
    """401 with the challenge of RFC 6750 section 3."""
    return ProblemError("unauthorised", detail, headers=[(b"www-authenticate", b"Bearer" + parameters)])
