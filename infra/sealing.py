"""Sealing secrets of a command to its decider, and the answer to its sender.

A command's secrets lie in an HPKE box (RFC 9180, base mode). Inside is also a key that is used once: the
answer comes back encrypted under it with AES-256-GCM, so that only who sent the command can read it.
"""

import base64
import secrets
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from pydantic import ValidationError

from schemas.envelope import Meta
from schemas.sealed import Box, Contents, SealedCommand

SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
REFUSED: Final = "refused"
"""Field of an answer that is a "no" although something happened; its value is the reason."""

C = TypeVar("C", bound=Contents)


class SealError(ValueError):
    """A box or an answer cannot be opened: another key, another command, or changed on its way."""


@dataclass(frozen=True, slots=True)
class Opened(Generic[C]):
    """What was inside a command's box, and what its handler may use to answer.

    `seed` is 32 random bytes drawn when the box was opened: `draw` makes of them whatever random values the
    decision needs, so that the handler itself draws no lots.
    """

    contents: C
    reply_key: bytes
    seed: bytes

    def draw(self, purpose: str, length: int = KEY_BYTES) -> bytes:
        """Random bytes for one purpose (HKDF-Expand, RFC 5869); the same for the same purpose."""
        return HKDFExpand(hashes.SHA256(), length, purpose.encode()).derive(self.seed)

    def answer(self, fields: dict[str, object]) -> bytes:
        """The answer, which the sender alone can read."""
        return encrypt(self.reply_key, self.draw("answer", NONCE_BYTES), orjson.dumps(fields), b"answer")


def seal(contents: Contents, reply_key: bytes, public_key: bytes, about: bytes) -> str:
    """The box's text; `about` binds it to its command, see `binding`."""
    inside = {"reply": b64(reply_key), "contents": contents.model_dump(mode="json")}
    return b64(SUITE.encrypt(orjson.dumps(inside), X25519PublicKey.from_public_bytes(public_key), about))


def unseal(kind: type[C], box: Box, private_key: X25519PrivateKey, about: bytes) -> Opened[C]:
    """Open a box; raises SealError, whose text quotes nothing of it."""
    try:
        inside = orjson.loads(SUITE.decrypt(unb64(box.text), private_key, about))
        contents = kind.model_validate(inside["contents"])
        return Opened(contents, unb64(inside["reply"]), secrets.token_bytes(KEY_BYTES))
    except ValidationError as error:
        raise SealError(f"the contents break {error.error_count()} rules") from None
    except (ValueError, KeyError, TypeError, InvalidTag):
        raise SealError("the box cannot be opened") from None


def binding(kind: type[SealedCommand], command_id: object) -> bytes:
    """What a box is bound to: it opens for the command that it was made for, and for no other."""
    return f"pickly/1/{kind.__name__}/{command_id}".encode()


def bound_to(command: SealedCommand, meta: Meta) -> bytes:
    """The `binding` of a command that has arrived."""
    return binding(type(command), meta.id)


def read_answer(reply_key: bytes, sealed: bytes) -> dict[str, object]:
    """The fields of an answer; raises SealError."""
    fields: dict[str, object] = orjson.loads(decrypt(reply_key, sealed, b"answer"))
    return fields


def encrypt(key: bytes, nonce: bytes, plain: bytes, about: bytes) -> bytes:
    """AES-256-GCM; the nonce comes first. A key and a nonce meet once only."""
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def decrypt(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """The inverse of `encrypt`; raises SealError."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        raise SealError("the ciphertext is not of this key, or was changed") from None


def new_key() -> bytes:
    """A random key of 256 bits."""
    return secrets.token_bytes(KEY_BYTES)


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The inverse of `b64`; raises ValueError for anything else."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if b64(data) != text:
        raise ValueError("not canonical base64url")
    return data


def new_nonce() -> bytes:
    """A random nonce for `encrypt`."""
    return secrets.token_bytes(NONCE_BYTES)
