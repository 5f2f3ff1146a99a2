"""How a group reads: FastStream runs the subscription, we decide what is fetched and when it counts.

FastStream's acknowledgement policies lose messages, spin or skip, and its parser drops a whole poll for one
bad header. So its batch subscriber only keeps the consumer alive; fetching and handling are replaced below
the parser. Positions come from Postgres (`auto_offset_reset="none"`), Kafka's own offsets are for dashboards.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from infra.runtime.entry import Entrance
from infra.runtime.fetch import FETCH_MS, Consumer
from infra.runtime.group import Group
from infra.runtime.poll import COST_LIMIT, Poller
from infra.runtime.reading import FULL, Poll, read, rest
from infra.telemetry.errors import describe
from infra.wake import Waker
from schemas.message import Tick

log = structlog.get_logger(__name__)

MAX_RECORDS: Final = 500
AT_ONCE: Final = 0.001
"""A read that took less found its records waiting: they come faster than they are handled."""
METADATA_MS: Final = 10_000
"""How soon a topic that was made is noticed; aiokafka would take 5 minutes."""
KAFKA_COMMIT_EVERY: Final = 1.0
KAFKA_COMMIT_SECONDS: Final = 2.0
LEAVE_SECONDS: Final = 5.0
"""A broker that is away must not hold up a stop; it will notice by itself that we are gone."""


class ReadingEndedError(RuntimeError):
    """A task inside FastStream or aiokafka has ended, silently; nothing would be read any more."""


class Intake(ConsumerRebalanceListener):
    """The reading side of one group in one process."""

    def __init__(self, poller: Poller, entrance: Entrance, waker: Waker, kafka: str) -> None:
        self.poller = poller
        self.entrance = entrance
        self.waker = waker
        self.last_poll = time.monotonic()
        self.assigned = False
        self._group = poller.group
        self._most = most_records(poller.group)
        self._working = asyncio.Lock()
        self._ahead: asyncio.Task[Poll] | None = None
        self._behind = False
        self._committed: dict[TopicPartition, int] = {}
        self._broker = KafkaBroker(
            kafka,
            client_id=self._group.name,
            consumer_only=True,
            metadata_max_age_ms=METADATA_MS,
            allow_auto_create_topics=False,
            logger=None,
        )
        self._subscriber = self._broker.subscriber(
            *self._group.topics,
            group_id=self._group.name,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=6_000,
            heartbeat_interval_ms=1_000,
            rebalance_timeout_ms=30_000,
            listener=self,
        )
        self._subscriber(_never_called)
        self._subscriber.get_msg = self._fetch  # type: ignore[method-assign, assignment]  # on purpose: see above
        self._subscriber.consume_one = self._handle  # type: ignore[method-assign, assignment]  # likewise

    async def start(self) -> None:
        """Join the group; waits while the broker is away."""
        while True:
            try:
                await self._broker.start()
                return
            except (KafkaError, OSError) as away:
                log.warning("waiting_for_broker", group=self._group.name, error=describe(away))
                await self._leave()
                await asyncio.sleep(1)

    async def stop(self) -> None:
        """Finish the transaction at hand, write Kafka's offsets, leave the group."""
        async with self._working:
            await self.commit_to_kafka()
            await self._leave()

    async def _leave(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._broker.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("left_without_goodbye", group=self._group.name, error=describe(error))

    def failed(self) -> BaseException | None:
        """Why nothing is read any more, or None. FastStream and aiokafka keep such an end to themselves."""
        consumer = self._subscriber.consumer
        if consumer is None or not self._subscriber.tasks:
            return None
        inside = [consumer._coordinator._coordination_task, consumer._fetcher.error_future]
        ended = [task for task in inside if task.done()]
        if all(task.done() for task in self._subscriber.tasks):
            ended += self._subscriber.tasks[-1:]
        if not ended:
            return None
        cause = None if ended[0].cancelled() else ended[0].exception()
        why = describe(cause) if cause is not None else "it was cancelled"
        return ReadingEndedError(f"{self._group.name} reads no more: {why}")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing: a transaction at hand is stopped by the fence, not by us, and needs its positions."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Keep them from being read until the loop has entered them.

        They are paused at a position that is not used: without one the fetcher would ask Kafka for its own
        offsets. Nothing here may wait or fail: no heartbeat is sent meanwhile, and an exception is swallowed.
        """
        consumer, places = self._consumer(), list(assigned)
        for place in places:
            consumer.seek(place, 0)
            consumer.pause(place)
        self.entrance.pauses.hold(places)
        self.assigned = True

    def _consumer(self) -> Consumer:
        assert self._subscriber.consumer is not None
        return self._subscriber.consumer

    async def _fetch(self, consumer: Consumer) -> Poll:
        """The records of one poll. Raises only what ends FastStream's loop in peace."""
        self.last_poll = time.monotonic()
        try:
            poll = await self._next(consumer)
            for place, verdict in poll.troubles.items():
                await self.entrance.trouble(consumer, place, verdict)
            if not poll:
                async with self._working:
                    await self.entrance.note_positions(consumer)
            return poll
        except ConsumerStoppedError:
            raise
        except Exception as error:
            log.exception("fetch_failed", group=self._group.name)
            self.entrance.postpone(consumer, consumer.assignment(), "outage", describe(error))
            await asyncio.sleep(FETCH_MS / 1000)
            return Poll()

    async def _next(self, consumer: Consumer) -> Poll:
        """The poll that was read ahead, but for what has become of its partitions meanwhile; or a new one.

        A partition that had trouble with the poll before, or another owner, is entered again at its position
        in Postgres, and read from there: what was read ahead of it must not be applied.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            poll = await ahead
            return poll.only(await self.entrance.keep_up(consumer))
        await self.entrance.keep_up(consumer)
        began = time.monotonic()
        poll = await self._read(consumer)
        self._behind = time.monotonic() - began < AT_ONCE
        return poll

    async def _read(self, consumer: Consumer) -> Poll:
        return await read(consumer, self._group, self.entrance.running(consumer), self._most)

    async def _handle(self, poll: Poll) -> None:
        """Apply a poll. Never raises: an exception would end FastStream's loop."""
        began = time.monotonic()
        if len(poll) >= FULL:
            self._ahead = asyncio.create_task(self._read(self._consumer()))
        try:
            async with self._working:
                verdicts = await self.poller.apply(poll.readings)
            await self.waker.wake(self._group.name)
            for place, verdict in verdicts.items():
                if verdict.trouble is not None:
                    await self.entrance.trouble(self._consumer(), place, verdict)
            await self.entrance.well([place for place, verdict in verdicts.items() if not verdict.trouble])
        except Exception as error:
            log.exception("poll_failed", group=self._group.name)
            self.entrance.postpone(self._consumer(), poll.readings, "outage", describe(error))
        if self._behind:
            await asyncio.sleep(rest(len(poll), time.monotonic() - began))

    async def commit_to_kafka(self) -> None:
        """Tell Kafka's dashboards where we are; nothing depends on it."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        ours = self.entrance.running(consumer)
        offsets = {place: offset for place, offset in ours.items() if self._committed.get(place) != offset}
        if not offsets:
            return
        try:
            async with asyncio.timeout(KAFKA_COMMIT_SECONDS):
                await consumer.commit(offsets)
            self._committed |= offsets
        except Exception as error:
            log.debug("kafka_commit_failed", group=self._group.name, error=describe(error))

    async def keep_dashboards(self) -> None:
        """Commit to Kafka at most once a second, outside the loop, for ever."""
        while True:
            await asyncio.sleep(KAFKA_COMMIT_EVERY)
            await self.commit_to_kafka()


def most_records(group: Group) -> int:
    """How many records one poll may hold: their declared cost stays within one transaction's.

    Ticks do not count: they come once a minute, and a poll that holds dear ones is cut (`poll.portions`).
    """
    priced = (handler.cost for name, handler in group.handlers.items() if name != Tick.__name__)
    dearest = max(priced, default=0.0)
    return max(1, min(MAX_RECORDS, int(COST_LIMIT / dearest))) if dearest else MAX_RECORDS


async def _never_called(batch: list[bytes]) -> None:
    """FastStream polls only for a subscriber that has a handler; ours is below it."""
    raise AssertionError(f"FastStream's own path handled {len(batch)} records")
