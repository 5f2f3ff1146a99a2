"""Access tokens: ES256 JWTs of type at+jwt (RFC 9068). The one module that may import python-jose.

python-jose alone accepts forged and incomplete tokens, so here it only checks the signature, with a key
that we chose by `kid`, after we have parsed header and segments.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Self, TypeAlias
from uuid import UUID, uuid4

import jiter
from cryptography.hazmat.primitives import serialization
from jose import jwk, jws
from jose.backends.base import Key
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.jwk import public_jwk
from infra.sealing import unb64
from infra.settings import Settings
from infra.settings import settings as process_settings
from schemas.ids import account_id

ALGORITHM: Final = "ES256"
TYPE: Final = "at+jwt"
ISSUER: Final = "pickly/auth"
AUDIENCE: Final = "pickly/gateway"
MAX_BYTES: Final = 4096
LIFETIME: Final = 600
"""Seconds that a token may be valid."""
LEEWAY: Final = 30
"""Seconds that the clocks of issuer and gateway may differ."""
HANDLE: Final = re.compile(r"[a-z0-9_.-]{1,64}")
BACKEND: Final = "jose.backends.cryptography_backend"


VerifyingKey: TypeAlias = Key
NO_KEYS: Final[Mapping[str, Key]] = MappingProxyType({})


class InvalidTokenError(Exception):
    """The token is not one of ours, or not valid now. The text holds nothing of the token."""


class TokenKeyError(RuntimeError):
    """The signing key or the key ring of this stack is unusable."""


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    iss: Literal["pickly/auth"]
    aud: Literal["pickly/gateway"]
    sub: UUID
    jti: str
    sid: str
    iat: int
    nbf: int
    exp: int
    roles: tuple[str, ...] = ()
    aal: int = 1
    auth_time: int = 0


@dataclass(frozen=True, slots=True)
class Claims:
    """Who a verified token speaks for. Times are in Unix seconds.

    `assurance` is 1 with one factor, 2 with two; `factor_at` is when one was last used.
    """

    account: UUID
    session: str
    roles: frozenset[str]
    expires_at: int
    issued_at: int = 0
    assurance: int = 1
    factor_at: int = 0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the `kid` under which its public half is published."""

    kid: str
    key: Key

    @classmethod
    def of(cls, kid: str, secret: bytes) -> Self:
        """From PKCS #8 in DER."""
        private = serialization.load_der_private_key(secret, None)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(kid, jwk.construct(pem, ALGORITHM))


def handle_of(text: str) -> str:
    """The handle in its one form, lower case. Raises ValueError for what cannot be one."""
    handle = text.lower()
    if not HANDLE.fullmatch(handle):
        raise ValueError("a handle has 1 to 64 characters out of a-z, 0-9, '_', '.' and '-'")
    return handle


def verify(
    token: str | bytes, *, settings: Settings | None = None, published: Mapping[str, VerifyingKey] = NO_KEYS
) -> Claims:
    """Check a token; raises InvalidTokenError for anything but a good one.

    It must be signed with one of the `published` keys, or on the local stack with one of its own key ring.
    """
    ring = _ring((settings or process_settings()).secrets)
    try:
        text = _ascii(token)
        kid = _kid(text)
        key = published.get(kid) or ring.get(kid)
        if key is None:
            raise InvalidTokenError("its key is not in the key ring")
        payload = jws.verify(text, key, algorithms=[ALGORITHM])
        return _claims(payload, int(time.time()))
    except InvalidTokenError:
        raise
    except Exception:  # python-jose lets RecursionError, UnicodeError, AttributeError and more through
        raise InvalidTokenError("it is not a valid access token") from None


def mint(handle: str, *, settings: Settings | None = None, roles: Sequence[str] = ()) -> str:
    """Sign a token of ten minutes with the local stack's own key. Raises ValueError for a bad handle."""
    secrets = (settings or process_settings()).secrets
    now = int(time.time())
    claims = Claims(
        account_id(handle_of(handle)), str(uuid4()), frozenset(roles), now + LIFETIME, now, 2, now
    )
    return issue(claims, _signing_key(secrets), str(uuid4()))


def issue(claims: Claims, key: SigningKey, token_id: str) -> str:
    """Sign a token that says this."""
    fields: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.account),
        "jti": token_id,
        "sid": claims.session,
        "iat": claims.issued_at,
        "nbf": claims.issued_at,
        "exp": claims.expires_at,
        "roles": sorted(claims.roles),
        "aal": claims.assurance,
        "auth_time": claims.factor_at,
    }
    return jws.sign(fields, key.key, headers={"typ": TYPE, "kid": key.kid}, algorithm=ALGORITHM)


def public_key(point: bytes) -> VerifyingKey:
    """A published key, from its uncompressed point (SEC 1). Raises ValueError."""
    return jwk.construct(public_jwk(point), ALGORITHM)


def self_test(settings: Settings) -> None:
    """Raise TokenKeyError unless the keys are usable and `cryptography`, not `ecdsa`, checks signatures."""
    for key in _ring(settings.secrets).values():
        if type(key).__module__ != BACKEND:
            raise TokenKeyError(f"python-jose uses {type(key).__module__}; install python-jose[cryptography]")


def _ascii(token: str | bytes) -> str:
    if len(token) > MAX_BYTES:
        raise InvalidTokenError("it is longer than 4 KiB")
    text = token if isinstance(token, str) else token.decode("ascii")
    if len(text.split(".")) != 3 or not all(_canonical(segment) for segment in text.split(".")):
        raise InvalidTokenError("it has not three base64url segments")
    return text


def _canonical(segment: str) -> bool:
    """Foreign characters and spare bits would give one token many spellings."""
    try:
        return unb64(segment) != b""
    except ValueError:
        return False


def _kid(text: str) -> str:
    header = jiter.from_json(unb64(text.partition(".")[0]), catch_duplicate_keys=True, allow_inf_nan=False)
    if not isinstance(header, dict) or header.keys() != {"alg", "typ", "kid"}:
        raise InvalidTokenError("its header is not exactly alg, typ and kid")
    if header["alg"] != ALGORITHM or header["typ"] != TYPE or not isinstance(header["kid"], str):
        raise InvalidTokenError(f"it is not an {ALGORITHM} {TYPE}")
    return header["kid"]


def _claims(payload: bytes, now: int) -> Claims:
    jiter.from_json(payload, catch_duplicate_keys=True, allow_inf_nan=False)
    try:
        body = _Body.model_validate_json(payload)
    except ValidationError:
        raise InvalidTokenError("a claim is missing or has the wrong type or value") from None
    if body.exp <= now - LEEWAY:
        raise InvalidTokenError("it has expired")
    if not 0 < body.exp - body.iat <= LIFETIME or now - body.iat > LIFETIME + LEEWAY:
        raise InvalidTokenError("it is valid for longer than ten minutes")
    if max(body.nbf, body.iat) > now + LEEWAY:
        raise InvalidTokenError("it is not valid yet")
    roles = frozenset(body.roles)
    return Claims(body.sub, body.sid, roles, body.exp, body.iat, body.aal, body.auth_time)


@cache
def _ring(secrets: Path) -> Mapping[str, Key]:
    """The local stack's public keys by `kid`, none elsewhere; read once, a new ring comes with a restart."""
    if not (secrets / "token_ring.json").exists():
        return NO_KEYS
    try:
        keys = jiter.from_json(Settings(secrets=secrets).secret("token_ring.json").encode())["keys"]
        return {key["kid"]: jwk.construct(_public(key), ALGORITHM) for key in keys}
    except (ValueError, KeyError, TypeError) as error:
        raise TokenKeyError(
            f"{secrets / 'token_ring.json'} is not a JWK set of ES256 keys: {error}"
        ) from None


def _public(key: dict[str, object]) -> dict[str, object]:
    if (key.get("kty"), key.get("crv"), key.get("alg", ALGORITHM)) != (
        "EC",
        "P-256",
        ALGORITHM,
    ) or "d" in key:
        raise ValueError("a key is not a public P-256 key")
    return key


@cache
def _signing_key(secrets: Path) -> SigningKey:
    """The private key, and the `kid` under which its public half is in the ring."""
    key = jwk.construct(Settings(secrets=secrets).secret("token_key.pem"), ALGORITHM)
    probe = b"the same key?"
    signature = key.sign(probe)
    for kid, public in _ring(secrets).items():
        if public.verify(probe, signature):
            return SigningKey(kid, key)
    raise TokenKeyError(f"{secrets / 'token_ring.json'} lacks the public half of token_key.pem")
