"""How the gateway protects itself: limits and deadlines, from environment variables PICKLY_GATEWAY_*."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Final, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, PositiveInt, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ANY_ORIGIN: Final = "*"
ORIGIN: Final = re.compile(r"\*|https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")


class Quota(NamedTuple):
    """So many requests in so many seconds."""

    requests: PositiveInt
    seconds: PositiveInt


def _quota(value: object) -> object:
    if isinstance(value, str):
        if not (found := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", value.strip(), re.ASCII)):
            raise ValueError("write REQUESTS/SECONDS, as in 30/300")
        return found.groups()
    return value


def _items(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _origin(value: str) -> str:
    if not ORIGIN.fullmatch(value):
        raise ValueError("write an origin as a browser does, https://app.example.org, without a path")
    return value


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_items)]
"""Written with commas between its items."""
Limit = Annotated[Quota, NoDecode, BeforeValidator(_quota)]
"""Written as REQUESTS/SECONDS."""


class GatewaySettings(BaseSettings):
    """Rates are in cost units a second (a route declares its cost), bursts in units, times in seconds.

    The defaults let one client replay a data set at full speed; a public deployment sets lower ones.
    """

    model_config = SettingsConfigDict(env_prefix="PICKLY_GATEWAY_", frozen=True)

    account_rate: PositiveInt = 600
    account_burst: PositiveInt = 12_000
    address_rate: PositiveInt = 10_000
    address_burst: PositiveInt = 100_000
    sign_in_limit: Limit = Quota(30, 300)
    """Of one identifier from one address."""
    password_reset_limit: Limit = Quota(15, 3_600)
    """Of one identifier from one address."""
    registration_limit: Limit = Quota(100, 300)
    """From one address; the same holds for those below."""
    token_refresh_limit: Limit = Quota(150, 300)
    verification_limit: Limit = Quota(30, 300)
    identifiers_per_address: PositiveInt = 10
    """So many times what one identifier may do, an address may do with all identifiers together."""
    trusted_proxies: Listed[IPv4Network | IPv6Network] = ()
    """Networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    cors_origins: Listed[Annotated[str, AfterValidator(_origin)]] = (ANY_ORIGIN,)
    """Who may ask from a browser: `*` without credentials, or exact origins with them."""
    connections: int = 4_096
    connections_per_address: int = 2_048
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    send_seconds: float = 2.0
    see_seconds: float = 5.0
    """How long a read with Pickly-After waits."""
    waiters: int = 10_000
    hashing: int = 64
    """How many requests for which a password is hashed may wait at a time."""
    trust_traceparent: bool = False
    """Whether a client's `traceparent` decides if a request is recorded; its trace is joined in any case."""
    page_cache_seconds: float = 1.0
    """How old a listing may be when a wake-up is lost; 0 keeps none. With Pickly-After it is never old."""
    page_cache_pages: int = 1_000
    page_cache_bytes: int = 32 * 1024 * 1024
    database_connections: int = 8
    database_seconds: float = 1.0

    @model_validator(mode="after")
    def _no_credentials_for_all(self) -> Self:
        if ANY_ORIGIN in self.cors_origins and len(self.cors_origins) > 1:
            raise ValueError("cors_origins: write `*` alone, or the origins without it")
        return self
