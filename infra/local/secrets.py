"""Fresh secrets of a local stack, one file each as docker and kubernetes mount them."""

import json
import os
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.jwk import public_jwk
from infra.roles import login_roles
from infra.sealing import b64

SUPERUSER = "postgres"


def create(folder: Path) -> None:
    """Write every secret that `folder` lacks (files 0600, folder 0700); those that exist stay."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*(f"pg_{role}" for role in (SUPERUSER, *login_roles())), "valkey", "s3_access", "s3_secret"):
        _write(folder / name, secrets.token_urlsafe(24))
    for name in ("auth_kek", "auth_lookup", "auth_pepper", "auth_refresh"):
        _write(folder / name, f"1:{b64(secrets.token_bytes(32))}")
    if not (folder / "token_key.pem").exists() or not (folder / "token_ring.json").exists():
        _token_key(folder)


def _write(file: Path, text: str, *, again: bool = False) -> None:
    if file.exists() and not again:
        return
    temporary = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    temporary.replace(file)


def _token_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    _write(folder / "token_key.pem", pem.decode(), again=True)
    _write(folder / "token_ring.json", json.dumps({"keys": [public_jwk(point)]}), again=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m infra.local.secrets FOLDER")
    create(Path(sys.argv[1]))
