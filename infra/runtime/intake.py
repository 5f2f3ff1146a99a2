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
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from infra.runtime.entry import Entrance
from infra.runtime.fetch import FETCH_MS, Consumer, fetch
from infra.runtime.group import Group
from infra.runtime.poll import COST_LIMIT, Poller
from infra.runtime.records import Record
from infra.telemetry.errors import describe
from infra.wake import Waker
from schemas.message import Tick

log = structlog.get_logger(__name__)

MAX_RECORDS: Final = 500
CYCLE: Final = 0.02
"""Seconds from one poll of several records to the next: fuller batches, 30 % less CPU at 200/s."""
FULL: Final = 50
"""A poll of so many records is full enough; to wait after it would only slow a backlog down."""
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
        self._subscriber.get_msg = self._fetch  # type: ignore[method-assign]  # on purpose: see above
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

    async def _fetch(self, consumer: Consumer) -> tuple[ConsumerRecord, ...]:
        """The records of one poll. Raises only what ends FastStream's loop in peace."""
        self.last_poll = time.monotonic()
        try:
            await self.entrance.keep_up(consumer)
            fetched = await fetch(consumer, self.entrance.running(consumer), self._most)
            for place, verdict in fetched.troubles.items():
                await self.entrance.trouble(consumer, place, verdict)
            if not fetched.records:
                async with self._working:
                    await self.entrance.note_positions(consumer)
            return fetched.records
        except ConsumerStoppedError:
            raise
        except Exception as error:
            log.exception("fetch_failed", group=self._group.name)
            self.entrance.postpone(consumer, consumer.assignment(), "outage", describe(error))
            await asyncio.sleep(FETCH_MS / 1000)
            return ()

    async def _handle(self, raw: tuple[ConsumerRecord, ...]) -> None:
        """Apply a poll. Never raises: an exception would end FastStream's loop."""
        began = time.monotonic()
        try:
            polled: dict[TopicPartition, list[Record]] = {}
            for each in raw:
                record = Record.of(each)
                polled.setdefault(record.place, []).append(record)
            async with self._working:
                verdicts = await self.poller.run(polled)
            await self.waker.wake(self._group.name)
            for place, verdict in verdicts.items():
                if verdict.trouble is not None:
                    await self.entrance.trouble(self._consumer(), place, verdict)
            await self.entrance.well([place for place, verdict in verdicts.items() if not verdict.trouble])
        except Exception as error:
            log.exception("poll_failed", group=self._group.name)
            places = {TopicPartition(each.topic, each.partition) for each in raw}
            self.entrance.postpone(self._consumer(), places, "outage", describe(error))
        if 1 < len(raw) < FULL:
            await asyncio.sleep(max(0.0, began + CYCLE - time.monotonic()))

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
