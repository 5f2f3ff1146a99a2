"""Waking those who wait: whoever moved something says so on a Valkey channel, best effort.

Waiters poll anyway; a lost wake-up costs them one polling interval, a slow Valkey costs the sender nothing.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from infra.settings import Settings
from infra.telemetry.errors import describe

CHANNEL: Final = "pickly:progress"
TIMEOUT: Final = 0.1
SILENT_AFTER: Final = 2.0
DEAD_AFTER: Final = 5.0
BACKOFF: Final = (0.1, 2.0)

log = structlog.get_logger(__name__)


class Waker:
    """Sends and receives wake-ups; one per process."""

    def __init__(self, settings: Settings) -> None:
        self._pool = BlockingConnectionPool.from_url(
            settings.valkey,
            password=settings.secret("valkey"),
            max_connections=8,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._valkey = Redis(connection_pool=self._pool)
        self._publishing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._away = False

    async def wake(self, group: str) -> None:
        """Tell whoever waits for `group` to look again. Returns at once and never raises.

        While one message of a group is on its way, all further ones become a single one after it.
        """
        if group in self._publishing:
            self._again.add(group)
        else:
            self._publishing[group] = asyncio.create_task(self._publish(group))

    async def _publish(self, group: str) -> None:
        try:
            while True:
                self._again.discard(group)
                await self._publish_once(group)
                if group not in self._again:
                    return
        finally:
            del self._publishing[group]

    async def _publish_once(self, group: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._valkey.publish(CHANNEL, group)
        except (RedisError, OSError) as error:
            if not self._away:
                log.warning("Valkey is away: waiters poll", error=describe(error))
            self._away = True
        else:
            self._away = False

    async def listen(self, on_wake: Callable[[str], None]) -> None:
        """Call `on_wake(group)` for every wake-up, until cancelled; connects again by itself."""
        pause = BACKOFF[0]
        while True:
            started = time.monotonic()
            pubsub = self._valkey.pubsub()
            try:
                await pubsub.subscribe(CHANNEL)
                await _receive(pubsub, on_wake)
            except (RedisError, OSError) as error:
                log.info("wake-ups interrupted", error=describe(error))
            finally:
                await _drop(pubsub)
            pause = BACKOFF[0] if time.monotonic() - started > DEAD_AFTER else min(pause * 2, BACKOFF[1])
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Forget wake-ups that are still on their way and close the connections."""
        tasks = list(self._publishing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pool.disconnect()


async def _receive(pubsub: PubSub, on_wake: Callable[[str], None]) -> None:
    """Raises ConnectionError when the server has stayed silent, pings included, for DEAD_AFTER seconds."""
    heard = time.monotonic()
    while True:
        message = await pubsub.get_message(timeout=SILENT_AFTER)
        now = time.monotonic()
        if message is None:
            if now - heard > DEAD_AFTER:
                raise ConnectionError("silent")
            await pubsub.ping()
            continue
        heard = now
        if message["type"] == "message":
            on_wake(message["data"])


async def _drop(pubsub: PubSub) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    except (RedisError, OSError):
        return
