"""Who is asking.

Verified tokens are kept by hash until they end, because a signature costs more than a look-up.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from gateway.problems import ProblemError
from infra.settings import Settings
from infra.tokens import LEEWAY, NO_KEYS, Claims, InvalidTokenError, VerifyingKey, verify

SCHEME: Final = b"bearer "
KEPT: Final = 10_000
PROVEN_SECONDS: Final = 600
"""How long ago a factor may have been used by who wants to do something dangerous."""
INVALID: Final = b' error="invalid_token"'
STEP_UP: Final = b'Bearer error="insufficient_user_authentication", max_age="%d"' % PROVEN_SECONDS
"""The challenge of RFC 9470 section 3."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that asks for a command, the id that this command will have, and the session's."""

    account_id: UUID
    command_id: UUID
    session: str


class Refusing(Protocol):
    """Knows tokens that are worth nothing although they are well signed."""

    def refuses(self, claims: Claims) -> bool:
        """Whether a token that says this is one of them."""


class Tokens:
    """Checks the Authorization header."""

    def __init__(
        self, settings: Settings, ended: Refusing, published: Mapping[str, VerifyingKey] = NO_KEYS
    ) -> None:
        """`published` are the keys of identity; like `ended` it may change while this is used."""
        self._settings = settings
        self._ended = ended
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
        claims = self._verified.get(digest)
        if claims is None or claims.expires_at <= time.time():
            claims = self._verify(token, digest)
        if self._ended.refuses(claims):
            raise unauthorised("The session has ended, or its rights have changed.", INVALID)
        return claims

    def _verify(self, token: bytes, digest: bytes) -> Claims:
        self._verified.pop(digest, None)
        try:
            claims = verify(token, settings=self._settings, published=self._published)
        except InvalidTokenError as error:
            raise unauthorised(f"The access token was not accepted: {error}.", INVALID) from None
        if len(self._verified) >= KEPT:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims
        return claims


def unauthorised(detail: str, parameters: bytes = b"") -> ProblemError:
    """401 with the challenge of RFC 6750 section 3."""
    return ProblemError("unauthorised", detail, headers=[(b"www-authenticate", b"Bearer" + parameters)])


def recently_proven(claims: Claims) -> None:
    """Raises ProblemError (401) unless a password, passkey or code was used within ten minutes.

    That an account with second factors has used one is for the decider to see.
    """
    if claims.factor_at < time.time() - PROVEN_SECONDS - LEEWAY:
        detail = "Prove again who you are: what you want needs a sign-in of the last ten minutes."
        raise ProblemError("step-up-needed", detail, headers=[(b"www-authenticate", STEP_UP)])
