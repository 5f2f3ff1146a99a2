"""Fresh secrets."""

import json
import stat
from pathlib import Path

from jose import jwt

from infra.local import secrets
from infra.roles import login_roles


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_there_is_a_secret_for_everything_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    secrets.create(folder)
    roles = {f"pg_{role}" for role in (*login_roles(), "postgres")}
    others = {"valkey", "s3_access", "s3_secret", "token_key.pem", "token_ring.json"}
    others |= {"auth_kek", "auth_lookup", "auth_pepper", "auth_refresh"}
    assert {path.name for path in folder.iterdir()} == roles | others
    assert _mode(folder) == 0o700
    assert {_mode(path) for path in folder.iterdir()} == {0o600}


def test_no_two_secrets_and_no_two_stacks_are_alike(tmp_path: Path) -> None:
    for name in ("a", "b"):
        secrets.create(tmp_path / name)
    texts = [path.read_text() for path in tmp_path.glob("*/*")]
    assert len(set(texts)) == len(texts)


def test_what_exists_stays_and_what_is_missing_is_added(tmp_path: Path) -> None:
    secrets.create(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    (tmp_path / "valkey").unlink()
    secrets.create(tmp_path)
    after = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert after.pop("valkey") != before.pop("valkey")
    assert after == before


def test_the_ring_verifies_what_the_key_signs(tmp_path: Path) -> None:
    secrets.create(tmp_path)
    (key,) = json.loads((tmp_path / "token_ring.json").read_text())["keys"]
    token = jwt.encode({"sub": "ada"}, (tmp_path / "token_key.pem").read_text(), algorithm="ES256")
    assert jwt.decode(token, key, algorithms=["ES256"]) == {"sub": "ada"}
    assert {"kty", "crv", "x", "y", "kid", "alg", "use"} == key.keys()
