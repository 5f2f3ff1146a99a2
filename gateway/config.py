"""How the gateway protects itself: limits and deadlines, from environment variables PICKLY_GATEWAY_*."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Rates are in cost units a second (a route declares its cost), bursts in units, times in seconds.

    The defaults let one client replay a data set at full speed; a public deployment sets lower ones.
    """

    model_config = SettingsConfigDict(env_prefix="PICKLY_GATEWAY_", frozen=True)

    account_rate: int = 600
    account_burst: int = 12_000
    address_rate: int = 10_000
    address_burst: int = 100_000
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
