"""From the outboxes onto the topics: `python -m producers.relay`. Run two or more; one sends each outbox.

The order of things closes every way to lose, double or disorder: connect, lock, start a producer with the
outbox's transactional id (which fences a predecessor that is only frozen), and only then read. Send a page,
let Kafka commit, then delete it. After any error close everything and begin again; events keep their ids.
"""

import asyncio
import sys
import time
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from infra.process import Process, run
from infra.roles import DECIDERS
from infra.settings import Settings, settings
from infra.telemetry.errors import describe
from infra.wake import Waker
from producers.outbox import PAGE_ROWS, Outbox
from producers.pages import Page
from producers.transactions import Transactions

POLL: Final = 0.2
START_SECONDS: Final = 10.0
PUBLISH_SECONDS: Final = 9.0
CHECK_SECONDS: Final = 5.0
BACKOFF: Final = (0.2, 2.0)
STUCK_SECONDS: Final = 60.0

SENT: Final = Counter("pickly_relay_events_total", "Events put on their topics.", ["schema"])
PAGES: Final = Histogram(
    "pickly_relay_page_rows",
    "Events in a page.",
    ["schema"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, PAGE_ROWS),
)
LEADER: Final = Gauge("pickly_relay_leader", "Whether this process sends the outbox.", ["schema"])
OLDEST: Final = Gauge("pickly_relay_oldest_seconds", "How long the first event has waited.", ["schema"])
ERRORS: Final = Counter(
    "pickly_relay_errors_total", "Times that everything began again.", ["schema", "error"]
)

log = structlog.get_logger(__name__)


class Relay:
    """Sends one outbox for as long as it can get hold of it."""

    def __init__(self, schema: str, config: Settings, process: Process, waker: Waker) -> None:
        self._schema = schema
        self._config = config
        self._process = process
        self._waker = waker
        self._reason: str | None = "not connected yet"
        self._beat = self._check_at = time.monotonic()
        LEADER.labels(schema).set(0)

    def why_not_ready(self) -> str | None:
        """None for the one that sends and for the ones that stand by."""
        return self._reason

    def why_not_alive(self) -> str | None:
        """Every step is bounded; one that takes longer hangs."""
        silent = time.monotonic() - self._beat
        return None if silent < STUCK_SECONDS else f"hangs for {silent:.0f} s"

    async def run(self) -> None:
        """Until the process shall stop."""
        pause = BACKOFF[0]
        while not self._process.stopping.is_set():
            self._beat = time.monotonic()
            try:
                await self._session()
            except Exception as error:
                self._failed(error)
                await self._process.pause(pause)
                pause = min(pause * 2, BACKOFF[1])
            else:
                pause = BACKOFF[0]

    def _failed(self, error: Exception) -> None:
        ERRORS.labels(self._schema, type(error).__name__).inc()
        described = describe(error)
        if self._reason != described:
            log.warning("beginning again", schema=self._schema, error=described)
        self._reason = described

    async def _session(self) -> None:
        outbox = await Outbox.connect(self._config, self._schema)
        try:
            if await self._stand_by(outbox):
                await self._lead(outbox)
        finally:
            await outbox.close()

    async def _stand_by(self, outbox: Outbox) -> bool:
        """Wait for the lock; whether we have it."""
        while not self._process.stopping.is_set():
            self._beat = time.monotonic()
            if await outbox.lead():
                return True
            self._reason = None
            await self._process.pause(POLL)
        return False

    async def _lead(self, outbox: Outbox) -> None:
        await outbox.measure()
        self._show_age(outbox)
        transactions = Transactions(self._config.kafka, f"relay-{await outbox.database()}-{self._schema}")
        try:
            await outbox.hold_while(transactions.start(), START_SECONDS)
            await outbox.listen()
            log.info("sending", schema=self._schema)
            LEADER.labels(self._schema).set(1)
            while not self._process.stopping.is_set():
                self._beat = time.monotonic()
                await self._send_page(outbox, transactions)
                self._reason = None
        finally:
            LEADER.labels(self._schema).set(0)
            await outbox.close()  # first: a successor need not wait for our producer
            await transactions.close()

    async def _send_page(self, outbox: Outbox, transactions: Transactions) -> None:
        rows = await outbox.page()
        self._show_age(outbox)
        if not rows:
            await self._idle(outbox, transactions)
            return
        with Page(rows) as page:
            offsets = await outbox.hold_while(transactions.publish(page.rows), PUBLISH_SECONDS)
            await outbox.settle(rows, offsets)
            page.sent(offsets)
        await self._waker.wake(self._schema)
        SENT.labels(self._schema).inc(len(rows))
        PAGES.labels(self._schema).observe(len(rows))

    async def _idle(self, outbox: Outbox, transactions: Transactions) -> None:
        if time.monotonic() > self._check_at:
            await outbox.hold_while(transactions.check(), START_SECONDS)
            self._check_at = time.monotonic() + CHECK_SECONDS
        await outbox.wait(POLL)

    def _show_age(self, outbox: Outbox) -> None:
        """The age goes on growing while Kafka is away and nothing is read."""
        if outbox.oldest_age is None:
            OLDEST.labels(self._schema).set_function(lambda: 0.0)
        else:
            since = time.monotonic() - outbox.oldest_age
            OLDEST.labels(self._schema).set_function(lambda: time.monotonic() - since)


async def main(process: Process) -> None:
    """Relay every decider's outbox."""
    config = settings()
    waker = Waker(config)
    try:
        async with asyncio.TaskGroup() as tasks:
            for schema in DECIDERS:
                relay = Relay(schema, config, process, waker)
                process.ready(f"outbox {schema}", relay.why_not_ready)
                process.alive(f"outbox {schema}", relay.why_not_alive)
                tasks.create_task(relay.run())
    finally:
        await waker.close()


if __name__ == "__main__":
    sys.exit(run(main))
