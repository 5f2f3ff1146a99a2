"""The sender's connection to Kafka: one producer, started until it starts and made anew when it is broken."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter

from infra.telemetry.errors import describe
from producers.closing import close

START_SECONDS: Final = 5.0
REQUEST_MS: Final = 3_000
BATCH_BYTES: Final = 512 * 1024
BACKOFF: Final = (0.1, 2.0)
FAILING_SECONDS: Final = 10.0
"""A producer that has delivered nothing for so long, though asked to, is replaced."""

CONNECTED: Final = Counter("pickly_sender_connections_total", "Producers that were started.")

log = structlog.get_logger(__name__)


class Link:
    """Holds the current producer.

    Not idempotent: an idempotent aiokafka producer never gives up, and repeats are harmless by command id.
    `on_lost` is called whenever a producer is given up, with batches it may not have delivered.
    """

    def __init__(self, kafka: str, on_lost: Callable[[], None]) -> None:
        self._kafka = kafka
        self._on_lost = on_lost
        self._producer: AIOKafkaProducer | None = None
        self._changed = asyncio.Event()
        self._broken = asyncio.Event()
        self._failing_since: float | None = None
        self._reason: str | None = "not connected to Kafka yet"

    async def current(self) -> AIOKafkaProducer:
        """The producer, as soon as there is one."""
        while self._producer is None:
            self._changed.clear()
            await self._changed.wait()
        return self._producer

    def why_down(self) -> str | None:
        """Why nothing can be delivered now."""
        return self._reason

    def succeeded(self) -> None:
        """A batch was acknowledged."""
        self._failing_since = self._reason = None

    def failed(self, error: BaseException) -> None:
        """A batch was not acknowledged; after an error that no repeat cures the producer is made anew."""
        self._reason = f"Kafka does not acknowledge: {describe(error)}"
        self._failing_since = self._failing_since or time.monotonic()
        if not getattr(error, "retriable", False):
            self._broken.set()

    async def keep(self) -> None:
        """Keep a producer up until cancelled."""
        pause = BACKOFF[0]
        while True:
            producer = self._new()
            try:
                async with asyncio.timeout(START_SECONDS):
                    await producer.start()
                self._serve(producer)
                pause = BACKOFF[0]
                await self._until_broken()
            except Exception as error:  # nothing may end the one task that connects again
                self._reason = f"Kafka is away: {describe(error)}"
            finally:
                self._producer = None
                await close(producer)
                self._on_lost()
            log.warning("connecting to Kafka again", reason=self._reason)
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF[1])

    def _new(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            acks="all",
            enable_idempotence=False,
            request_timeout_ms=REQUEST_MS,
            max_batch_size=BATCH_BYTES,
        )

    def _serve(self, producer: AIOKafkaProducer) -> None:
        CONNECTED.inc()
        self._broken.clear()
        self._failing_since = self._reason = None
        self._producer = producer
        self._changed.set()

    async def _until_broken(self) -> None:
        while self._failing_since is None or time.monotonic() - self._failing_since < FAILING_SECONDS:
            try:
                async with asyncio.timeout(1):
                    await self._broken.wait()
                return
            except TimeoutError:
                continue
