"""Access tokens: a good one is taken, and more than forty kinds of bad ones are not, whatever they try."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import tokens
from infra.local import secrets
from infra.settings import Settings
from infra.tokens import InvalidTokenError, TokenKeyError, mint, verify
from schemas.ids import account_id
from tests.infra.forged_tokens import BAD, OTHER, Forge, now, segment


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    folder = tmp_path_factory.mktemp("secrets")
    secrets.create(folder)
    return Forge(Settings(secrets=folder))


def test_a_minted_token_speaks_for_its_handle(forge: Forge) -> None:
    claims = verify(mint("Ana", settings=forge.settings, roles=["moderator"]), settings=forge.settings)

    assert claims.account == account_id("ana")
    assert claims.roles == {"moderator"}
    assert now() < claims.expires_at <= now() + 600


def test_a_token_of_the_forge_is_good_unless_told_otherwise(forge: Forge) -> None:
    assert verify(forge.token(), settings=forge.settings).account == account_id("ana")
    assert verify(forge.token().encode(), settings=forge.settings).session == "s"


def test_clocks_may_differ_by_half_a_minute(forge: Forge) -> None:
    late = forge.token(iat=now() - 610, nbf=now() - 610, exp=now() - 10)
    early = forge.token(iat=now() + 20, nbf=now() + 20, exp=now() + 600)

    assert verify(late, settings=forge.settings)
    assert verify(early, settings=forge.settings)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_invalid_for_its_own_reason(forge: Forge, name: str) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        verify(BAD[name](forge), settings=forge.settings)

    assert ("expired" in str(caught.value)) == (name == "expired")


def test_there_are_more_than_forty_bad_tokens() -> None:
    assert len(BAD) >= 40


def test_the_reason_holds_nothing_of_the_token(forge: Forge) -> None:
    canary = "c4n4ry"
    for token in (forge.token(iss=canary), forge.headed(kid=canary), forge.headed(typ=canary), canary):
        with pytest.raises(InvalidTokenError) as caught:
            verify(token, settings=forge.settings)
        assert canary not in str(caught.value)


@given(token=st.text() | st.binary())
def test_anything_at_all_is_invalid_at_worst(forge: Forge, token: str | bytes) -> None:
    with pytest.raises(InvalidTokenError):
        verify(token, settings=forge.settings)


@given(where=st.integers(0, 10_000), what=st.integers(0, 255))
def test_one_changed_byte_makes_a_token_invalid(forge: Forge, where: int, what: int) -> None:
    good = forge.token().encode()
    at = where % len(good)
    changed = good[:at] + bytes([what]) + good[at + 1 :]
    if changed != good:
        with pytest.raises(InvalidTokenError):
            verify(changed, settings=forge.settings)


@pytest.mark.parametrize("handle", ["", "a b", "x" * 65, "ä", "a/b", "@a", "a\n"])
def test_a_bad_handle_gets_no_token(forge: Forge, handle: str) -> None:
    with pytest.raises(ValueError, match="a handle has"):
        mint(handle, settings=forge.settings)


def test_the_self_test_takes_the_cryptography_backend_and_no_other(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.self_test(forge.settings)

    monkeypatch.setattr(tokens, "BACKEND", "jose.backends.ecdsa_backend")
    with pytest.raises(TokenKeyError, match="python-jose"):
        tokens.self_test(forge.settings)


def test_signing_and_checking_do_not_load_ecdsa(forge: Forge) -> None:
    code = (
        "import sys; from pathlib import Path; from infra.settings import Settings; from infra import tokens;"
        "s = Settings(secrets=Path(sys.argv[1])); tokens.verify(tokens.mint('ana', settings=s), settings=s);"
        "sys.exit('ecdsa' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code, str(forge.settings.secrets)], check=True)


PUBLIC = {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}
RING = {
    "no JSON": "x",
    "no set": "[]",
    "an RSA key": json.dumps({"keys": [{"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}]}),
    "a secret": json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}),
    "a private key": json.dumps(
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "a", "y": "a", "d": "a"}]}
    ),
    "a key without kid": json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "a"}]}),
}


@pytest.mark.parametrize("ring", RING.values(), ids=RING)
def test_a_key_ring_of_anything_else_is_refused_at_the_start(tmp_path: Path, ring: str) -> None:
    (tmp_path / "token_ring.json").write_text(ring)

    with pytest.raises(TokenKeyError, match="not a JWK set"):
        tokens.self_test(Settings(secrets=tmp_path))


def test_a_ring_without_our_key_signs_nothing(tmp_path: Path) -> None:
    secrets.create(tmp_path)
    numbers = OTHER.public_key().public_numbers()
    key = {
        "kty": "EC",
        "crv": "P-256",
        "kid": "other",
        "x": segment(numbers.x.to_bytes(32, "big")),
        "y": segment(numbers.y.to_bytes(32, "big")),
    }
    (tmp_path / "token_ring.json").write_text(json.dumps({"keys": [key]}))

    with pytest.raises(TokenKeyError, match="lacks the public half"):
        mint("ana", settings=Settings(secrets=tmp_path))


def command(*arguments: str, secrets_folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m infra.ops.token`."""
    return subprocess.run(
        [sys.executable, "-m", "infra.ops.token", *arguments],
        env={"PICKLY_SECRETS": str(secrets_folder), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_a_token_and_nothing_else(forge: Forge) -> None:
    done = command("@Ana", secrets_folder=forge.settings.secrets)

    assert done.returncode == 0
    assert verify(done.stdout.strip(), settings=forge.settings).account == account_id("ana")


def test_the_command_says_what_to_do_without_a_stack(tmp_path: Path) -> None:
    done = command("ana", secrets_folder=tmp_path / "none")

    assert (done.returncode, done.stdout) == (1, "")
    assert "./pickly up" in done.stderr


def test_the_command_says_what_a_handle_is(forge: Forge) -> None:
    done = command("a b", secrets_folder=forge.settings.secrets)

    assert (done.returncode, done.stdout) == (1, "")
    assert "1 to 64 characters" in done.stderr
