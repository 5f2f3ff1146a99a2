"""Public P-256 keys as JSON Web Keys (RFC 7517)."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric import ec


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The key as a member of a JWK set (RFC 7517)."""
    return {**_required(key), "alg": "ES256", "use": "sig", "kid": thumbprint(key)}


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """The RFC 7638 thumbprint, so that a `kid` follows from its key alone."""
    canonical = json.dumps(_required(key), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _required(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = (_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
