"""Entering a partition, standing still, and going on again.

A partition is entered at its position in Postgres, after checks that the log still fits to it. Trouble pauses
a partition, never the loop, for all topics of a group share the loop.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from infra.runtime import letters, metrics, positions
from infra.runtime.fates import Fate, StaleOwnerError, fate_of
from infra.runtime.group import Db
from infra.runtime.poll import Poller, Verdict
from infra.runtime.positions import Move, Position, staleness
from infra.topic_ids import topic_ids

log = structlog.get_logger(__name__)

Consumer: TypeAlias = AIOKafkaConsumer

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 30.0
LOOK_AGAIN: Final = 5.0
"""Seconds after which a partition that stands still is looked at again."""


@dataclass(slots=True)
class Pause:
    """Until when (monotonic seconds) a partition waits, why, and how long it waited last."""

    until: float
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Log:
    """What the broker says of a partition: first offset, end for read_committed, the topic's id."""

    start: int
    end: int
    topic_id: str | None


class Entrance:
    """Which partitions of a group run, wait or stand still in this process."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.now = poller.now
        self.waiting: dict[TopicPartition, Pause] = {}
        self.standing: dict[TopicPartition, str] = {}
        self._group = poller.group
        self._backoff: dict[TopicPartition, float] = {}

    def reason_not_ready(self) -> str | None:
        """For /readyz: what stands still, or None."""
        return (
            "; ".join(f"{p.topic}/{p.partition}: {why}" for p, why in sorted(self.standing.items())) or None
        )

    def leave(self, place: TopicPartition) -> None:
        """The partition is no longer ours."""
        self.poller.expected.pop(place, None)
        for table in (self.waiting, self.standing, self._backoff):
            table.pop(place, None)
        self._count()

    def well(self, place: TopicPartition) -> None:
        """It went through: the next pause is short again."""
        self._backoff.pop(place, None)

    async def enter(self, consumer: Consumer, places: Iterable[TopicPartition]) -> bool:
        """Seek to the positions in Postgres and go on; False when Postgres or the broker did not answer."""
        ours = [place for place in places if place in consumer.assignment()]
        if not ours:
            return True
        try:
            logs = await self._logs(consumer, ours)
            async with self.poller.connection.use() as db:
                rows = await self._rows(db, logs)
                for place in ours:
                    await self._enter_one(consumer, db, place, rows[place], logs[place])
        except Exception as error:
            if fate_of(error) is not Fate.OUTAGE:
                log.exception("enter_failed", group=self._group.name)
            else:
                log.warning("enter_failed", group=self._group.name, error=repr(error)[:200])
            return False
        return True

    async def _logs(self, consumer: Consumer, places: list[TopicPartition]) -> dict[TopicPartition, Log]:
        starts = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        ids = await topic_ids(consumer, {place.topic for place in places})
        return {place: Log(starts[place], ends[place], ids.get(place.topic)) for place in places}

    async def _rows(self, db: Db, logs: dict[TopicPartition, Log]) -> dict[TopicPartition, Position]:
        rows = await positions.load(db, self._group.name, logs)
        missing = {place: known.start for place, known in logs.items() if place not in rows}
        if missing:
            ids = {place.topic: logs[place].topic_id or "" for place in missing}
            await positions.create(db, self._group.name, missing, ids)
            rows |= await positions.load(db, self._group.name, missing)
        return rows

    async def _enter_one(
        self, consumer: Consumer, db: Db, place: TopicPartition, row: Position, known: Log
    ) -> None:
        offset = row.next_offset
        if offset < known.start and self._group.topics[place.topic].expires:
            await positions.jump(db, self._group.name, place, offset, known.start)
            log.warning("jumped", group=self._group.name, place=str(place), skipped=known.start - offset)
            offset = known.start
        reason = self._misfit(place, row, offset, known) or await self._still_open(db, place, row, offset)
        try:
            consumer.seek(place, min(max(offset, known.start), known.end))
            if reason is not None:
                consumer.pause(place)
        except IllegalStateError:
            self.leave(place)
            return
        await positions.stop(db, self._group.name, place, reason)
        if reason is not None:
            self._stand(place, reason)
            return
        self.poller.expected[place] = offset
        caught_up = offset >= known.end
        self.poller.seen_until[place] = self.now() if caught_up or not row.applied_at else row.applied_at
        self.standing.pop(place, None)
        self.waiting.pop(place, None)
        self._count()
        consumer.resume(place)

    def _misfit(self, place: TopicPartition, row: Position, offset: int, known: Log) -> str | None:
        if row.topic_id and known.topic_id and row.topic_id != known.topic_id:
            return f"topic was deleted and made anew: its id was {row.topic_id}, is {known.topic_id}"
        if offset > known.end:
            return f"position {offset} lies behind the end of the log, {known.end}"
        if offset < known.start:
            return f"records {offset} to {known.start - 1} are gone before they were read"
        if offset < known.end and row.applied_at is not None:
            return staleness(self._group.topics[place.topic], self.now() - row.applied_at)
        return None

    async def _still_open(self, db: Db, place: TopicPartition, row: Position, offset: int) -> str | None:
        if row.stopped is None or not row.stopped.startswith("circuit"):
            return None
        return await letters.circuit(db, self._group.name, place, offset - 1)

    async def trouble(self, consumer: Consumer, place: TopicPartition, verdict: Verdict) -> None:
        """Pause a partition for what its poll came to."""
        if verdict.trouble != "stop":
            self.postpone(consumer, [place], verdict.trouble or "", verdict.reason)
            return
        self._pause(consumer, place)
        self._stand(place, verdict.reason)
        try:
            async with self.poller.connection.use() as db:
                await positions.stop(db, self._group.name, place, verdict.reason)
        except Exception as error:
            log.warning("stop_not_written", place=str(place), error=repr(error)[:200])

    def postpone(
        self, consumer: Consumer, places: Iterable[TopicPartition], trouble: str, reason: str
    ) -> None:
        """Pause with back-off (0.2 s doubling to 30 s, jittered), then enter again from Postgres."""
        for place in list(places):
            last = self._backoff.get(place, FIRST_PAUSE / 2)
            seconds = FIRST_PAUSE if trouble in ("stale", "retry") else min(last * 2, LONGEST_PAUSE)
            self._backoff[place] = seconds
            jittered = seconds * random.uniform(0.8, 1.2)  # no secret, only spread
            self.waiting[place] = Pause(time.monotonic() + jittered, seconds, reason)
            self._pause(consumer, place)
            log.warning("paused", group=self._group.name, place=str(place), why=trouble, reason=reason)

    def _pause(self, consumer: Consumer, place: TopicPartition) -> None:
        try:
            consumer.pause(place)
        except IllegalStateError:
            self.leave(place)

    def _stand(self, place: TopicPartition, reason: str) -> None:
        if self.standing.get(place) != reason:
            log.error("partition_stopped", group=self._group.name, place=str(place), reason=reason)
        self.standing[place] = reason
        self.waiting[place] = Pause(time.monotonic() + LOOK_AGAIN, LOOK_AGAIN, reason)
        self._count()

    def _count(self) -> None:
        metrics.STOPPED.labels(self._group.name).set(len(self.standing))

    async def enter_due(self, consumer: Consumer) -> None:
        """Enter again what has waited long enough."""
        now = time.monotonic()
        due = [place for place, pause in self.waiting.items() if pause.until <= now]
        if due and not await self.enter(consumer, due):
            self.postpone(consumer, due, "outage", "positions cannot be read")

    async def note_positions(self, consumer: Consumer) -> None:
        """After an empty fetch: move positions past commit markers and holes, once."""
        moves = []
        for place, expected in self.poller.expected.items():
            if place in consumer.assignment() and place not in self.waiting:
                self.poller.seen_until[place] = self.now()
                reached = await consumer.position(place)
                if reached > expected:
                    moves.append(Move(place, expected, reached, None))
        if not moves:
            return
        try:
            async with self.poller.connection.use() as db, db.transaction():
                await positions.fence(db, self._group.name, self.poller.owner, moves)
        except (StaleOwnerError, KafkaError) as error:
            self.postpone(consumer, [move.place for move in moves], "stale", str(error))
        except Exception as error:
            self.postpone(consumer, [move.place for move in moves], "outage", repr(error)[:200])
        else:
            self.poller.expected |= {move.place: move.next_offset for move in moves}
