"""How a group reads: FastStream runs the subscription, we decide what is fetched and when it counts.

FastStream's acknowledgement policies lose messages, spin or skip, and its parser drops a whole poll for one
bad header. So its batch subscriber only keeps the consumer alive; fetching and handling are replaced below
the parser. Positions come from Postgres (`auto_offset_reset="none"`), Kafka's own offsets are for dashboards.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Final, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from infra.runtime.entry import Entrance
from infra.runtime.poll import Poller
from infra.runtime.records import Record
from infra.wake import Waker

log = structlog.get_logger(__name__)

Consumer: TypeAlias = AIOKafkaConsumer

MAX_RECORDS: Final = 500
FETCH_MS: Final = 200
CYCLE: Final = 0.02
"""Seconds from one poll of several records to the next: fuller batches, 30 % less CPU at 200/s."""
KAFKA_COMMIT_EVERY: Final = 1.0


class Intake(ConsumerRebalanceListener):
    """The reading side of one group in one process."""

    def __init__(self, poller: Poller, entrance: Entrance, waker: Waker, kafka: str) -> None:
        self.poller = poller
        self.entrance = entrance
        self.waker = waker
        self.last_poll = time.monotonic()
        self._group = poller.group
        self._working = asyncio.Lock()
        self._committed: dict[TopicPartition, int] = {}
        self._broker = KafkaBroker(
            kafka, client_id=self._group.name, allow_auto_create_topics=False, logger=None
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
            except KafkaError as away:
                log.warning("waiting_for_broker", group=self._group.name, error=repr(away)[:200])
                await self._broker.stop()
                await asyncio.sleep(1)

    async def stop(self) -> None:
        """Finish the transaction at hand, write Kafka's offsets, leave the group."""
        async with self._working:
            await self.commit_to_kafka()
            await self._broker.stop()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget them at once: a transaction at hand is stopped by the fence, not by us."""
        for place in revoked:
            self.entrance.leave(place)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Seek to the positions in Postgres before anything is fetched.

        An exception here would be swallowed and leave partitions without a position, so it is tried until it
        works. Meanwhile they are paused at a position that is not used: without one the fetcher would ask
        Kafka for its own offsets.
        """
        consumer = self._consumer()
        places = set(assigned)
        for place in places:
            consumer.seek(place, 0)
            consumer.pause(place)
        while not await self.entrance.enter(consumer, places):  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(FETCH_MS / 1000)

    def _consumer(self) -> Consumer:
        assert self._subscriber.consumer is not None
        return self._subscriber.consumer

    async def _fetch(self, consumer: Consumer) -> tuple[ConsumerRecord, ...]:
        self.last_poll = time.monotonic()
        await self.entrance.enter_due(consumer)
        try:
            batches = await consumer.getmany(timeout_ms=FETCH_MS, max_records=MAX_RECORDS)
        except KafkaError as error:
            log.warning("fetch_failed", group=self._group.name, error=repr(error)[:200])
            self.entrance.postpone(consumer, consumer.assignment(), "outage", repr(error)[:200])
            await asyncio.sleep(FETCH_MS / 1000)
            return ()
        if not batches:
            async with self._working:
                await self.entrance.note_positions(consumer)
        return tuple(record for records in batches.values() for record in records)

    async def _handle(self, raw: tuple[ConsumerRecord, ...]) -> None:
        """Apply a poll. Never raises: an exception would end FastStream's loop."""
        began = time.monotonic()
        polled: dict[TopicPartition, list[Record]] = {}
        for each in raw:
            record = Record.of(each)
            polled.setdefault(record.place, []).append(record)
        try:
            async with self._working:
                verdicts = await self.poller.run(polled)
        except Exception as error:
            log.exception("poll_failed", group=self._group.name)
            self.entrance.postpone(self._consumer(), polled, "outage", repr(error)[:200])
            return
        await self.waker.wake(self._group.name)
        for place, verdict in verdicts.items():
            if verdict.trouble is None:
                self.entrance.well(place)
            else:
                await self.entrance.trouble(self._consumer(), place, verdict)
        if len(raw) > 1:
            await asyncio.sleep(max(0.0, began + CYCLE - time.monotonic()))

    async def commit_to_kafka(self) -> None:
        """Tell Kafka's dashboards where we are; nothing depends on it."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        ours = {p: o for p, o in self.poller.expected.items() if p in consumer.assignment()}
        offsets = {p: o for p, o in ours.items() if self._committed.get(p) != o}
        if not offsets:
            return
        try:
            async with asyncio.timeout(5):
                await consumer.commit(offsets)
            self._committed |= offsets
        except (KafkaError, TimeoutError) as error:
            log.debug("kafka_commit_failed", group=self._group.name, error=repr(error)[:200])

    async def keep_dashboards(self) -> None:
        """Commit to Kafka at most once a second, outside the loop, for ever."""
        while True:
            await asyncio.sleep(KAFKA_COMMIT_EVERY)
            await self.commit_to_kafka()


async def _never_called(batch: list[bytes]) -> None:
    """FastStream polls only for a subscriber that has a handler; ours is below it."""
    raise AssertionError(f"FastStream's own path handled {len(batch)} records")
