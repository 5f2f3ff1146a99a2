"""Time as messages, so that what is due is decided by the owner of a partition: `python -m producers.clock`.

Each minute a Tick to every partition of every command topic, each ten minutes a Heartbeat to every partition
of every compacted topic. Several clocks may run, without a lock: a Tick's id follows from place and minute,
and the inbox takes it once; a Heartbeat has no effect that could be doubled.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TypeGuard
from uuid import UUID, uuid5

import structlog
from prometheus_client import Counter, Gauge

from infra.partitions import CLOCK_PREFIX
from infra.process import Process, run
from infra.settings import settings
from infra.telemetry.errors import describe
from producers.errors import SendError
from producers.send import Sender
from schemas.envelope import Meta
from schemas.ids import PICKLY
from schemas.message import Heartbeat, Tick
from schemas.topics import TOPICS, Kind, Topic

CLOCK_IDS: Final = uuid5(PICKLY, "clock")
MINUTE: Final = 60
HEARTBEAT_MINUTES: Final = 10
LOOK_SECONDS: Final = 5.0
"""A sleeping machine stops monotonic time, so no pause is longer."""
AGAIN_SECONDS: Final = 1.0
LATE_MINUTES: Final = 3

SENT: Final = Counter("pickly_clock_records_total", "Ticks and heartbeats on their topics.", ["type"])
LAST: Final = Gauge(
    "pickly_clock_last_minute_seconds", "The newest minute that all topics have, in Unix time."
)

log = structlog.get_logger(__name__)


def clock_id(topic: Topic, partition: int, minute: int) -> UUID:
    """The id of what the clock says on a partition; `minute` counts from 1970."""
    return uuid5(CLOCK_IDS, f"{topic.name}/{partition}/{minute}")


class Clock:
    """Says each minute once on each partition, as far as the broker can be reached within that minute."""

    def __init__(self, sender: Sender, topics: Iterable[Topic], now: Callable[[], float] = time.time) -> None:
        self._sender = sender
        self._now = now
        self._commands = [topic for topic in topics if topic.kind is Kind.COMMAND]
        self._compacted = [topic for topic in topics if topic.kind.compacted]
        self._said: dict[str, int] = {}

    async def look(self) -> bool:
        """Send what this moment asks for and has not been sent; False when a part of it failed.

        Minutes that went by unseen, asleep or without a broker, are left out: what was due then is due now.
        """
        minute = int(self._now() // MINUTE)
        ticked = await self._say(Tick, self._commands, minute)
        beaten = await self._say(Heartbeat, self._compacted, minute - minute % HEARTBEAT_MINUTES)
        if ticked:
            LAST.set(minute * MINUTE)
        return ticked and beaten

    def why_not_ready(self) -> str | None:
        """None, or for how long no minute has got through."""
        late = int(self._now() // MINUTE) - self._said.get(Tick.__name__, 0)
        return None if late < LATE_MINUTES else "no minute has been acknowledged on all topics lately"

    async def _say(self, what: type[Tick | Heartbeat], topics: Iterable[Topic], minute: int) -> bool:
        kind = what.__name__
        if self._said.get(kind) == minute:
            return True
        places = [(topic, partition) for topic in topics for partition in range(topic.partitions)]
        sends = [self._send(what, topic, partition, minute) for topic, partition in places]
        failures = [each for each in await asyncio.gather(*sends, return_exceptions=True) if _failed(each)]
        SENT.labels(kind).inc(len(sends) - len(failures))
        if failures:
            log.warning("not sent everywhere", type=kind, failed=len(failures), error=describe(failures[0]))
            return False
        self._said[kind] = minute
        return True

    async def _send(self, what: type[Tick | Heartbeat], topic: Topic, partition: int, minute: int) -> None:
        key = f"{CLOCK_PREFIX}{partition}"
        at = datetime.fromtimestamp(minute * MINUTE, UTC)
        meta = Meta(clock_id(topic, partition, minute), what.__name__, at, subject=key)
        message = Tick(topic=topic.name, partition=partition) if what is Tick else Heartbeat()
        body = message.model_dump_json().encode()
        await self._sender.send_record(topic, partition, key, body, meta.headers())


def _failed(result: object) -> TypeGuard[SendError]:
    if isinstance(result, BaseException) and not isinstance(result, SendError):
        raise result
    return isinstance(result, SendError)


async def main(process: Process) -> None:
    """Tell the time until the process shall stop."""
    sender = Sender(settings())
    clock = Clock(sender, list(TOPICS.values()))
    process.ready("kafka", sender.why_not_ready)
    process.ready("clock", clock.why_not_ready)
    process.alive("sender", sender.why_not_alive)
    await sender.start()
    try:
        while not process.stopping.is_set():
            done = await clock.look()
            left = MINUTE - time.time() % MINUTE
            await process.pause(min(left, LOOK_SECONDS) if done else AGAIN_SECONDS)
    finally:
        await sender.stop()


if __name__ == "__main__":
    sys.exit(run(main))
