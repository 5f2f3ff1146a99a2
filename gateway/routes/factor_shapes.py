"""What requests and answers about second factors look like."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.cookies import Delivery
from gateway.routes.picks import Strict
from schemas.factors import Code, FactorKind, FactorName
from schemas.identity_types import PasswordGiven
from schemas.sessions import Device

FACTOR_ID: Final = "7d1f6f0a-3a52-5f0e-8b1d-5d2c1b0a9f8e"
FACTOR: Final = {
    "id": FACTOR_ID,
    "kind": "totp",
    "name": "my phone",
    "added_at": "2026-11-24T07:00:00Z",
    "used_at": "2026-11-24T08:15:00Z",
}
CODES: Final = ["01abc-9xyz8", "7kmnp-2qrst"]
PASSKEY: Final = {"id": "bWluZQ", "rawId": "bWluZQ", "type": "public-key", "response": {}}
REQUEST: Final = {"challenge": "AAEC", "rpId": "pickly.example", "userVerification": "required"}


def shown_as(example: dict[str, Any]) -> ConfigDict:
    """The settings of an answer, with an example."""
    return ConfigDict(json_schema_extra={"examples": [example]}, extra="forbid")


def given_as(*examples: dict[str, Any]) -> ConfigDict:
    """The settings of a body, with examples."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


def only_one(body: BaseModel, names: tuple[str, ...]) -> None:
    """Raises ValueError unless exactly one of these fields is given."""
    if sum(getattr(body, name) is not None for name in names) != 1:
        raise ValueError(f"give one of {', '.join(names)}")


Passkey = Annotated[
    dict[str, object],
    Field(description="What `toJSON()` of the browser's PublicKeyCredential gives (WebAuthn Level 3)."),
]


class ChallengeAnswer(Strict):
    """The proof of a factor, one of three. `device` names the session where that has not been said before.

    With `delivery: cookie` the refresh token comes as a cookie, for browsers.
    """

    model_config = given_as({"totp": "123456"}, {"recovery_code": CODES[0]}, {"passkey": PASSKEY})

    totp: Code | None = None
    passkey: Passkey | None = None
    recovery_code: Code | None = None
    device: Device = ""
    delivery: Delivery = "body"

    @model_validator(mode="after")
    def _one(self) -> Self:
        only_one(self, ("totp", "passkey", "recovery_code"))
        return self


class Reauthentication(Strict):
    """The proof that it is you: with second factors one of them, else the password.

    A passkey signs a `challenge`, see `POST /v1/auth/challenges`.
    """

    model_config = given_as({"totp": "123456"}, {"password": "a walk along the winter sea"})

    totp: Code | None = None
    passkey: Passkey | None = None
    recovery_code: Code | None = None
    password: PasswordGiven | None = None
    challenge: UUID | None = Field(None, strict=False)

    @model_validator(mode="after")
    def _one(self) -> Self:
        only_one(self, ("totp", "passkey", "recovery_code", "password"))
        if (self.passkey is None) != (self.challenge is None):
            raise ValueError("a passkey and its challenge come together")
        return self


class NewFactor(Strict):
    """A factor to add, and what you call it."""

    model_config = given_as({"kind": "totp", "name": "my phone"}, {"kind": "passkey", "name": "blue key"})

    kind: FactorKind
    name: FactorName


class Confirmation(Strict):
    """A code that the app shows, or what the browser answered when it made the passkey."""

    model_config = given_as({"totp": "123456"}, {"passkey": PASSKEY})

    totp: Code | None = None
    passkey: Passkey | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        only_one(self, ("totp", "passkey"))
        return self


class FactorRenamed(Strict):
    """Its new name."""

    model_config = given_as({"name": "the old phone"})

    name: FactorName


class Asked(BaseModel):
    """A challenge, how many seconds it is good for, and which factors answer it.

    `passkey` is for `parseRequestOptionsFromJSON`.
    """

    id: UUID
    expires_in: int
    methods: list[Literal["totp", "passkey", "recovery_code"]]
    passkey: dict[str, object] | None = None


class ChallengeAsked(BaseModel):
    """A second factor is needed; the session begins when the challenge is answered."""

    model_config = shown_as(
        {
            "challenge": {
                "id": FACTOR_ID,
                "expires_in": 300,
                "methods": ["totp", "passkey", "recovery_code"],
                "passkey": REQUEST,
            }
        }
    )

    challenge: Asked


class App(BaseModel):
    """The secret in base32 to be typed, and the `otpauth://` address to be shown as a QR code."""

    secret: str
    uri: str


class FactorBegun(BaseModel):
    """What is needed to go on: of an app its secret, of a passkey the browser's options."""

    model_config = shown_as(
        {
            "id": FACTOR_ID,
            "kind": "totp",
            "totp": {
                "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
                "uri": "otpauth://totp/Pickly:ana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Pickly",
            },
        }
    )

    id: UUID
    kind: FactorKind
    totp: App | None = None
    passkey: dict[str, object] | None = None


class FactorConfirmed(BaseModel):
    """It counts from now on. The first factor brings recovery codes, which are shown this once."""

    model_config = shown_as({"id": FACTOR_ID, "recovery_codes": CODES})

    id: UUID
    recovery_codes: list[str]


class RecoveryCodes(BaseModel):
    """Ten codes, each good for one use, shown this once."""

    model_config = shown_as({"recovery_codes": CODES})

    recovery_codes: list[str]


class CodesLeft(BaseModel):
    """How many recovery codes are left."""

    model_config = shown_as({"left": 9})

    left: int


class Factor(BaseModel):
    """A second factor; `used_at` is when it last proved something."""

    id: UUID
    kind: FactorKind
    name: str
    added_at: datetime
    used_at: datetime | None


class Factors(BaseModel):
    """Second factors, the oldest first, and how many recovery codes are left."""

    model_config = shown_as({"items": [FACTOR], "recovery_codes": 9})

    items: list[Factor]
    recovery_codes: int


class SteppedUp(BaseModel):
    """A new access token of the same session; the refresh token stays as it is."""

    model_config = shown_as(
        {
            "access_token": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
            "token_type": "Bearer",
            "expires_in": 600,
            "session_id": FACTOR_ID,
            "account_id": FACTOR_ID,
            "handle": "ana",
        }
    )

    access_token: str
    token_type: str
    expires_in: int
    session_id: UUID
    account_id: UUID
    handle: str


class Done(BaseModel):
    """It is done."""

    model_config = shown_as({"status": "done"})

    status: Literal["done"]
