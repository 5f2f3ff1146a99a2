"""The documents about sessions that the API shows, as OpenAPI describes them."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.shapes import CURSOR

SESSION: Final = {
    "id": "d2c1b0a9-8f7e-5d6c-8b4a-392817060504",
    "device": "phone",
    "place": "192.0.2.0/24",
    "assurance": 2,
    "started_at": "2026-11-01T18:30:00Z",
    "seen_at": "2026-11-24T07:00:00Z",
    "current": True,
}
JWK: Final = {
    "crv": "P-256",
    "kty": "EC",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "alg": "ES256",
    "use": "sig",
    "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
}


def example(shown: dict[str, Any]) -> ConfigDict:
    """How a model shows an example of itself."""
    return ConfigDict(json_schema_extra={"examples": [shown]}, extra="forbid")


class Session(BaseModel):
    """A sign-in on one device. `assurance` is 1 with one factor, 2 with two; `place` is a network."""

    model_config = example(SESSION)

    id: UUID
    device: str
    place: str
    assurance: int
    started_at: datetime
    seen_at: datetime
    current: bool | None = Field(
        None, description="Whether it is the one that asks; left out in the answer to a change."
    )


class Sessions(BaseModel):
    """A page of sessions; `next` is the cursor of the next page."""

    model_config = example({"items": [SESSION], "next": CURSOR})

    items: list[Session]
    next: str | None


class Jwk(BaseModel):
    """A public key for ES256."""

    model_config = example(JWK)

    crv: str
    kty: str
    x: str
    y: str
    alg: str
    use: str
    kid: str


class Jwks(BaseModel):
    """A JWK set."""

    model_config = example({"keys": [JWK]})

    keys: list[Jwk]
