"""Good tokens and more than forty kinds of bad ones, signed without the code under test."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from infra.settings import Settings
from schemas.ids import account_id


def now() -> int:
    """The time in Unix seconds."""
    return int(time.time())


def good() -> dict[str, Any]:
    """The claims of a good token of now."""
    return {
        "iss": "pickly/auth",
        "aud": "pickly/gateway",
        "sub": str(account_id("ana")),
        "jti": "j",
        "sid": "s",
        "iat": now(),
        "nbf": now(),
        "exp": now() + 600,
    }


def segment(value: object) -> str:
    """base64url of bytes, or of a value as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forge:
    """Signs whatever it is told to, with the stack's own key unless told otherwise."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key = self._private(settings.secret("token_key.pem").encode())
        self.kid = json.loads(settings.secret("token_ring.json"))["keys"][0]["kid"]
        self.header = {"alg": "ES256", "typ": "at+jwt", "kid": self.kid}

    @staticmethod
    def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
        return cast(ec.EllipticCurvePrivateKey, serialization.load_pem_private_key(pem, None))

    def sign(self, header: object, claims: object, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        """A token with a valid signature."""
        signed = f"{segment(header)}.{segment(claims)}"
        r, s = decode_dss_signature((key or self.key).sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def token(self, **claims: Any) -> str:
        """A good token but for these claims; None leaves one out."""
        return self.sign(self.header, {k: v for k, v in (good() | claims).items() if v is not None})

    def headed(self, **header: Any) -> str:
        """A good token but for these members of its header; None leaves one out."""
        return self.sign({k: v for k, v in (self.header | header).items() if v is not None}, good())

    def hmac(self, secret: bytes) -> str:
        """Signed with HS256, the public key as secret: the classic confusion."""
        signed = f"{segment(self.header | {'alg': 'HS256'})}.{segment(good())}"
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(signed.encode())
        return f"{signed}.{segment(mac.finalize())}"

    def public(self, encoding: serialization.Encoding, form: serialization.PublicFormat) -> bytes:
        """The public key as bytes."""
        return self.key.public_key().public_bytes(encoding, form)


Pem, Der, Ssh = serialization.Encoding.PEM, serialization.Encoding.DER, serialization.Encoding.OpenSSH
Info, Line = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.OpenSSH
OTHER = ec.generate_private_key(ec.SECP256R1())
NESTED = b'{"alg":"ES256","typ":"at+jwt","kid":' + b"[" * 900 + b"]" * 900 + b"}"


def spare_bits(token: str) -> str:
    """The same bytes, spelled with a last character whose unused bits are set."""
    head, last = token[:-1], token[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return head + alphabet[alphabet.index(last) ^ 1]


def mixed(first: str, second: str) -> str:
    """The content of one token with the signature of another."""
    return f"{first.rpartition('.')[0]}.{second.rpartition('.')[2]}"


def without(name: str) -> Callable[["Forge"], str]:
    """Makes good tokens but for one claim that is missing."""
    return lambda forge: forge.token(**{name: None})


BAD: dict[str, Callable[[Forge], str | bytes]] = {
    "empty": lambda _: "",
    "no segments": lambda _: "abc",
    "two segments": lambda f: f.token().rpartition(".")[0],
    "four segments": lambda f: f.token() + ".x",
    "empty signature": lambda f: f.token().rpartition(".")[0] + ".",
    "empty payload": lambda f: f"{segment(f.header)}..{segment(b'x' * 64)}",
    "only dots": lambda _: "..",
    "not ASCII": lambda f: f.token() + "é",
    "not ASCII bytes": lambda f: f.token().encode() + b"\xff",
    "lone surrogate": lambda f: f.token() + "\ud800",
    "NUL": lambda f: f.token() + "\x00",
    "space inside": lambda f: f.token().replace(".", ". "),
    "padding": lambda f: f.token() + "=",
    "standard base64 alphabet": lambda f: f.token().replace("-", "+").replace("_", "/") + "+",
    "spare bits set": lambda f: spare_bits(f.token()),
    "longer than 4 KiB": lambda f: f.token(sid="x" * 4096),
    "5 MB": lambda _: "a." * 2_500_000,
    "alg none": lambda f: f"{segment(f.header | {'alg': 'none'})}.{segment(good())}.",
    "alg none with a signature": lambda f: f.headed(alg="none"),
    "alg None in other letters": lambda f: f.headed(alg="nOnE"),
    "alg of lower case": lambda f: f.headed(alg="es256"),
    "alg missing": lambda f: f.headed(alg=None),
    "alg a list": lambda f: f.headed(alg=["ES256"]),
    "HS256 with the key as PEM": lambda f: f.hmac(f.public(Pem, Info)),
    "HS256 with the key as DER": lambda f: f.hmac(f.public(Der, Info)),
    "HS256 with the key as OpenSSH": lambda f: f.hmac(f.public(Ssh, Line)),
    "HS256 with the key as PEM without armour": lambda f: f.hmac(
        b"".join(f.public(Pem, Info).splitlines()[1:-1])
    ),
    "HS256 with an empty secret": lambda f: f.hmac(b""),
    "ES384": lambda f: f.headed(alg="ES384"),
    "RS256": lambda f: f.headed(alg="RS256"),
    "typ JWT": lambda f: f.headed(typ="JWT"),
    "typ missing": lambda f: f.headed(typ=None),
    "typ with application/": lambda f: f.headed(typ="application/at+jwt"),
    "kid missing": lambda f: f.headed(kid=None),
    "kid unknown": lambda f: f.headed(kid="other"),
    "kid empty": lambda f: f.headed(kid=""),
    "kid a number": lambda f: f.headed(kid=7),
    "kid a path": lambda f: f.headed(kid="../../etc/passwd"),
    "crit": lambda f: f.headed(crit=["exp"]),
    "b64 false": lambda f: f.headed(b64=False),
    "embedded jwk": lambda f: f.headed(jwk={"kty": "EC"}),
    "jku": lambda f: f.headed(jku="https://example.org/keys"),
    "x5u": lambda f: f.headed(x5u="https://example.org/cert"),
    "zip": lambda f: f.headed(zip="DEF"),
    "header twice the same member": lambda f: f.sign(
        f'{{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"{f.kid}"}}'.encode(), good()
    ),
    "header nested 900 deep": lambda f: f.sign(NESTED, good()),
    "header a list": lambda f: f.sign([f.header], good()),
    "header no JSON": lambda f: f.sign(b"{", good()),
    "header with NaN": lambda f: f.sign(b'{"alg":NaN,"typ":"at+jwt","kid":"x"}', good()),
    "signed by another key": lambda f: f.sign(f.header, good(), OTHER),
    "signature of another token": lambda f: mixed(f.token(), f.token(sub=str(uuid4()))),
    "signature of zeros": lambda f: f.token().rpartition(".")[0] + "." + segment(bytes(64)),
    "signature too short": lambda f: f.token().rpartition(".")[0] + "." + segment(bytes(63)),
    "claims a list": lambda f: f.sign(f.header, [good()]),
    "claims no JSON": lambda f: f.sign(f.header, b"x"),
    "claims twice the same": lambda f: f.sign(
        f.header, json.dumps(good()).replace('{"iss', '{"sub":"x","iss').encode()
    ),
    "claims nested 900 deep": lambda f: f.sign(f.header, b"[" * 900 + b"]" * 900),
    **{f"without {name}": without(name) for name in good()},
    "exp as text": lambda f: f.token(exp=str(now() + 60)),
    "exp a fraction": lambda f: f.token(exp=now() + 60.5),
    "exp true": lambda f: f.token(exp=True),
    "exp infinite": lambda f: f.sign(f.header, json.dumps(good() | {"exp": float("inf")}).encode()),
    "exp beyond any clock": lambda f: f.token(exp=10**30),
    "expired": lambda f: f.token(iat=now() - 700, nbf=now() - 700, exp=now() - 100),
    "valid for an hour": lambda f: f.token(exp=now() + 3600),
    "issued an hour ago": lambda f: f.token(iat=now() - 3600, exp=now() + 60),
    "ends before it begins": lambda f: f.token(iat=now(), exp=now() - 10),
    "issued in the future": lambda f: f.token(iat=now() + 300, exp=now() + 600),
    "not yet valid": lambda f: f.token(nbf=now() + 300),
    "another issuer": lambda f: f.token(iss="https://example.org"),
    "another audience": lambda f: f.token(aud="pickly/admin"),
    "audience a list": lambda f: f.token(aud=["pickly/gateway"]),
    "sub no account": lambda f: f.token(sub="ana"),
    "sub a number": lambda f: f.token(sub=7),
    "jti a number": lambda f: f.token(jti=7),
    "roles text": lambda f: f.token(roles="admin"),
}
