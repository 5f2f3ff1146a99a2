"""The gateway's Valkey client: short timeouts, no retries; it never holds the only copy of anything."""

from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from infra.settings import Settings

TIMEOUT: Final = 0.15
AWAY_SECONDS: Final = 1.0
"""How long nobody asks again after Valkey did not answer, so that an outage does not slow every request."""
AWAY: Final = (RedisError, OSError, TimeoutError)
"""What a call raises when Valkey does not answer in time."""


def connect(settings: Settings) -> Redis:
    """A client over a blocking pool of its own; connects when first used."""
    pool = BlockingConnectionPool.from_url(
        settings.valkey,
        password=settings.secret("valkey"),
        max_connections=8,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis(connection_pool=pool)
