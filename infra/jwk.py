"""Public P-256 keys as JSON Web Keys (RFC 7517). A key is given as its uncompressed point (SEC 1)."""

import hashlib
import json
from pathlib import Path

from infra.sealing import b64


def public_jwk(point: bytes) -> dict[str, str]:
    """The key as a member of a JWK set. Raises ValueError for anything but an uncompressed point."""
    return {**_required(point), "alg": "ES256", "use": "sig", "kid": thumbprint(point)}


def thumbprint(point: bytes) -> str:
    """The RFC 7638 thumbprint, so that a `kid` follows from its key alone."""
    canonical = json.dumps(_required(point), separators=(",", ":"), sort_keys=True)
    return b64(hashlib.sha256(canonical.encode()).digest())


def local_jwks(secrets: Path) -> list[dict[str, str]]:
    """The members of the local stack's own JWK set, from its secrets; none elsewhere."""
    try:
        keys: list[dict[str, str]] = json.loads((secrets / "token_ring.json").read_text())["keys"]
    except FileNotFoundError:
        return []
    return keys


def _required(point: bytes) -> dict[str, str]:
    if len(point) != 65 or point[0] != 4:
        raise ValueError("not an uncompressed point of P-256")
    return {"crv": "P-256", "kty": "EC", "x": b64(point[1:33]), "y": b64(point[33:])}
