"""A browser with a passkey device in software: what `navigator.credentials` takes and gives, as JSON text.

ES256, discoverable credentials, a verified person, a counter; on `cryptography` alone, with its own CBOR, so
that it shares nothing with the library that checks it. It can be told to do single things wrong.
"""

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ES256: Final = -7
AAGUID: Final = bytes.fromhex("50b1c41e000040008000000000000001")
PRESENT, VERIFIED, CAN_BACK_UP, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


class Fault(Enum):
    """One thing that goes wrong in every answer for as long as it is set."""

    ORIGIN = auto()
    """The page is another site's."""
    RP = auto()
    """The device answers for another relying party."""
    CHALLENGE = auto()
    """An old answer comes again."""
    UNVERIFIED = auto()
    """Somebody touches the device who was not verified."""
    ABSENT = auto()
    """Nobody touches the device."""
    SIGNATURE = auto()
    """Something else is signed."""
    COUNTER = auto()
    """The counter goes back, as that of a copy does."""
    FRAMED = auto()
    """The page is inside one of another site."""
    OWNER = auto()
    """The credential names another account."""
    NO_OWNER = auto()
    """The credential names no account."""


class NotAllowedError(Exception):
    """No credential fits the options, or they ask for what this device cannot do."""


class InvalidStateError(Exception):
    """The device has one of the excluded credentials already."""


@dataclass
class Resident:
    """A credential that the device keeps."""

    rp: str
    user: bytes
    key: ec.EllipticCurvePrivateKey
    id: bytes = field(default_factory=lambda: os.urandom(32))
    count: int = 0


@dataclass
class Authenticator:
    """A device, used through a browser on a page of `origin`."""

    origin: str
    self_attested: bool = False
    """With "packed" self attestation instead of none."""
    synced: bool = False
    """Its credentials are backed up, and its counter stays at 0."""
    faults: Collection[Fault] = ()
    residents: list[Resident] = field(default_factory=list)

    def create(self, options: str) -> str:
        """A RegistrationResponseJSON, as from `navigator.credentials.create`."""
        asked = json.loads(options)
        if ES256 not in [each["alg"] for each in asked["pubKeyCredParams"]]:
            raise NotAllowedError("no ES256")
        self._page_may_ask_for(asked["rp"]["id"])
        if self._among(asked.get("excludeCredentials", [])):
            raise InvalidStateError("already registered")
        resident = Resident(
            asked["rp"]["id"], unb64(asked["user"]["id"]), ec.generate_private_key(ec.SECP256R1())
        )
        self.residents.append(resident)
        client_data = self._client_data("webauthn.create", asked["challenge"])
        data = self._data(resident, attested=True)
        statement = (
            {"alg": ES256, "sig": self._sign(resident, data, client_data)} if self.self_attested else {}
        )
        attestation = cbor({"fmt": "packed" if statement else "none", "attStmt": statement, "authData": data})
        public = resident.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        response = {
            "clientDataJSON": b64(client_data),
            "attestationObject": b64(attestation),
            "authenticatorData": b64(data),
            "publicKey": b64(public),
            "publicKeyAlgorithm": ES256,
            "transports": ["hybrid", "internal"],
        }
        return _answer(resident, response, {"credProps": {"rk": True}})

    def get(self, options: str) -> str:
        """An AuthenticationResponseJSON, as from `navigator.credentials.get`."""
        asked = json.loads(options)
        self._page_may_ask_for(asked["rpId"])
        allowed = asked.get("allowCredentials", [])
        fitting = [r for r in (self._among(allowed) if allowed else self.residents) if r.rp == asked["rpId"]]
        if not fitting:
            raise NotAllowedError("no credential fits")
        resident = fitting[-1]  # the one a person made last
        if not self.synced:
            resident.count = max(0, resident.count + (-1 if Fault.COUNTER in self.faults else 1))
        client_data, data = self._client_data("webauthn.get", asked["challenge"]), self._data(resident)
        response = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(self._sign(resident, data, client_data)),
            "userHandle": b64(bytes(16) if Fault.OWNER in self.faults else resident.user),
        }
        if Fault.NO_OWNER in self.faults:
            del response["userHandle"]
        return _answer(resident, response, {})

    def _page_may_ask_for(self, rp: str) -> None:
        if not f".{urlsplit(self.origin).hostname}".endswith(f".{rp}"):
            raise NotAllowedError(f"a page of {self.origin} asks for credentials of {rp}")

    def _among(self, described: list[Mapping[str, Any]]) -> list[Resident]:
        return [each for each in self.residents if b64(each.id) in [one["id"] for one in described]]

    def _client_data(self, ceremony: str, challenge: str) -> bytes:
        data = {
            "type": ceremony,
            "challenge": b64(os.urandom(32)) if Fault.CHALLENGE in self.faults else challenge,
            "origin": "https://evil.example" if Fault.ORIGIN in self.faults else self.origin,
            "crossOrigin": Fault.FRAMED in self.faults,
        }
        return json.dumps(data, separators=(",", ":")).encode()

    def _data(self, resident: Resident, *, attested: bool = False) -> bytes:
        """Authenticator data, section 6.1 of the standard."""
        rp = "evil.example" if Fault.RP in self.faults else resident.rp
        flags = 0 if Fault.ABSENT in self.faults else PRESENT
        flags |= 0 if Fault.UNVERIFIED in self.faults else VERIFIED
        flags |= (CAN_BACK_UP | BACKED_UP if self.synced else 0) | (ATTESTED if attested else 0)
        head = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + resident.count.to_bytes(4, "big")
        if not attested:
            return head
        numbers = resident.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        key = cbor({1: 2, 3: ES256, -1: 1, -2: x, -3: y})
        return head + AAGUID + len(resident.id).to_bytes(2, "big") + resident.id + key

    def _sign(self, resident: Resident, data: bytes, client_data: bytes) -> bytes:
        signed = (
            b"something else"
            if Fault.SIGNATURE in self.faults
            else data + hashlib.sha256(client_data).digest()
        )
        return resident.key.sign(signed, ec.ECDSA(SHA256()))


def cbor(value: object) -> bytes:
    """CBOR (RFC 8949) of integers, bytes, text and maps, each below 65,536."""
    match value:
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case dict():
            return _head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    raise TypeError(f"no CBOR for {type(value)}")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    size = 1 if number < 256 else 2
    return bytes([major << 5 | 23 + size]) + number.to_bytes(size, "big")


def _answer(resident: Resident, response: Mapping[str, object], extensions: Mapping[str, object]) -> str:
    answer = {
        "id": b64(resident.id),
        "rawId": b64(resident.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "response": response,
        "clientExtensionResults": extensions,
    }
    return json.dumps(answer)


def b64(raw: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
