"""Entering a partition, standing still, and going on again.

A partition is entered at its position in Postgres, after checks that the log still fits to it. Trouble pauses
a partition, never the loop, for all topics of a group share the loop. All of this runs in the loop, between
two polls: a rebalance only asks for it, so no position is read while a transaction may still move it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from infra.runtime import letters, positions
from infra.runtime.broker_log import Log, look, misfit, reached
from infra.runtime.fates import Fate, StaleOwnerError, fate_of
from infra.runtime.fetch import Consumer
from infra.runtime.handlers import Db
from infra.runtime.pauses import Pauses
from infra.runtime.poll import Poller, Verdict
from infra.runtime.positions import Move, Position
from infra.telemetry.errors import describe
from infra.topic_ids import topic_ids

log = structlog.get_logger(__name__)

COMPARE_EVERY: Final = 5.0
"""Seconds after which positions and topics are compared with what the servers have."""
COMPARE_SECONDS: Final = 1.0
SILENT_COMPARISONS: Final = 12
"""So often the broker may answer us and not aiokafka's fetches, before the process is better started anew."""


class Entrance:
    """The way into the partitions of a group in this process, and back into them after trouble."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.pauses = Pauses(poller.group.name)
        self._group = poller.group
        self._topic_ids: dict[str, str] = {}
        self._missing: list[str] = []
        self._idle = False
        self._fetched: dict[TopicPartition, int | None] = {}
        self._silence: Counter[TopicPartition] = Counter()
        self._next_comparison = 0.0

    def reason_not_ready(self) -> str | None:
        """For /readyz: what stands still, waits long or is not there, or None."""
        missing = [f"topic {topic} does not exist" for topic in self._missing]
        return "; ".join(missing + self.pauses.reasons()) or None

    def why_dead(self) -> str | None:
        """For /healthz: aiokafka can stay stuck after an outage of the broker, without a sign of its own."""
        stuck = max(self._silence.values(), default=0) >= SILENT_COMPARISONS
        return "the broker answers, but fetches do not come back" if stuck else None

    def running(self, consumer: Consumer) -> dict[TopicPartition, int]:
        """What may be read now, with the offset that comes next; those that are tried again come last."""
        ours, expected = consumer.assignment(), self.poller.expected
        places = [place for place in expected if place in ours and place not in self.pauses.waiting]
        return {place: expected[place] for place in sorted(places, key=self.pauses.standing.__contains__)}

    async def keep_up(self, consumer: Consumer) -> set[TopicPartition]:
        """Between two polls: let go of what is not ours any more, enter what has waited long enough.

        Returns what goes on where it was; of other partitions, what was read before is not what comes next.
        """
        ours, pauses = consumer.assignment(), self.pauses
        for place in (self.poller.expected.keys() | pauses.waiting.keys() | pauses.standing.keys()) - ours:
            self.poller.expected.pop(place, None)
            pauses.leave(place)
        if time.monotonic() >= self._next_comparison:
            self._next_comparison = time.monotonic() + COMPARE_EVERY
            await self._compare_topics(consumer)
            await self._compare_positions(consumer)
        due = pauses.due()
        for _, places in groupby(due, key=lambda place: place.topic):
            await self._enter(consumer, list(places))
        return self.running(consumer).keys() - set(due)

    async def _compare_topics(self, consumer: Consumer) -> None:
        """A topic that was made anew while we read may go on at our offset: only its id tells."""
        try:
            async with asyncio.timeout(COMPARE_SECONDS):
                ids = await topic_ids(consumer, set(self._group.topics))
        except (KafkaError, TimeoutError):
            return
        self._missing = sorted(self._group.topics.keys() - ids.keys())
        anew = {topic for topic, id in ids.items() if self._topic_ids.get(topic, id) != id}
        running = self.running(consumer)
        self._listen(consumer, running)
        self.pauses.hold(place for place in running if place.topic in anew)

    def _listen(self, consumer: Consumer, running: Collection[TopicPartition]) -> None:
        """Count since when no fetch came back. One that has not handed out all it has is not sent again."""
        idle, self._idle = self._idle, False
        fetched = {place: consumer.last_poll_timestamp(place) for place in running}
        same = fetched.items() & self._fetched.items() if idle else ()
        self._silence = Counter({place: self._silence[place] + 1 for place, _ in same})
        self._fetched = fetched

    async def _compare_positions(self, consumer: Consumer) -> None:
        """Postgres may have been restored to an older state; where nothing arrives, no fence would tell."""
        running = self.running(consumer)
        try:
            async with self.poller.connection.use() as db:
                rows = await positions.load(db, self._group.name, running)
        except Exception as error:
            log.warning("positions_not_compared", group=self._group.name, error=describe(error))
            return
        known = {place: row.next_offset for place, row in rows.items()}
        self.pauses.hold(place for place, offset in running.items() if known.get(place) != offset)

    async def _enter(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Seek to the positions in Postgres and go on."""
        try:
            logs = await look(consumer, places)
            self._topic_ids |= {place.topic: known.topic_id for place, known in logs.items()}
            async with self.poller.connection.use() as db:
                rows = await self._rows(db, logs)
                for place in places:
                    await self._enter_one(consumer, db, place, rows[place], logs[place])
        except Exception as error:
            if fate_of(error) is Fate.DEFECT and not isinstance(error, StaleOwnerError):
                log.exception("enter_failed", group=self._group.name)
            self.postpone(consumer, places, "outage", f"it cannot be entered: {describe(error)}")

    async def _rows(self, db: Db, logs: dict[TopicPartition, Log]) -> dict[TopicPartition, Position]:
        rows = await positions.load(db, self._group.name, logs)
        missing = {place: known.start for place, known in logs.items() if place not in rows}
        if missing:
            ids = {place.topic: logs[place].topic_id for place in missing}
            await positions.create(db, self._group.name, missing, ids)
            rows |= await positions.load(db, self._group.name, missing)
        return rows

    async def _enter_one(
        self, consumer: Consumer, db: Db, place: TopicPartition, row: Position, known: Log
    ) -> None:
        offset, topic = row.next_offset, self._group.topics[place.topic]
        if offset < known.start and topic.expires:
            await positions.jump(db, self._group.name, place, offset, known.start)
            log.warning("jumped", group=self._group.name, place=str(place), skipped=known.start - offset)
            offset = known.start
        reason = misfit(row, offset, known)
        if reason is None and (row.stopped or "").startswith("circuit"):
            self.poller.expected[place] = offset  # nothing is read on, but letters may be replayed
            reason = await letters.circuit(db, self._group.name, place, offset - 1)
        if reason is not None:
            await positions.stop(db, self._group.name, place, reason)
            self.pauses.stand(consumer, place, reason)
            return
        consumer.seek(place, offset)
        self.poller.expected[place] = offset
        at_end = offset >= known.end
        self.poller.seen_until[place] = (None if at_end else row.applied_at) or self.poller.now()
        if row.stopped is not None:
            self.pauses.alarm(place, row.stopped)
        self.pauses.go(consumer, place)

    async def trouble(self, consumer: Consumer, place: TopicPartition, verdict: Verdict) -> None:
        """Pause a partition for what its poll came to."""
        if verdict.trouble != "stop":
            self.postpone(consumer, [place], verdict.trouble or "", verdict.reason)
            return
        self.pauses.stand(consumer, place, verdict.reason)
        try:
            async with self.poller.connection.use() as db:
                await positions.stop(db, self._group.name, place, verdict.reason)
        except Exception as error:
            log.warning("stop_not_written", place=str(place), error=describe(error))

    def postpone(
        self, consumer: Consumer, places: Iterable[TopicPartition], trouble: str, reason: str
    ) -> None:
        """Pause them, then enter them again from Postgres."""
        for place in list(places):
            self.pauses.wait(consumer, place, trouble, reason)

    async def well(self, places: Collection[TopicPartition]) -> None:
        """They went through, or have nothing to read: pauses are short again, and alarms are over."""
        for place in places:
            self.pauses.well(place)
        alarmed = [place for place in places if place in self.pauses.standing]
        if not alarmed:
            return
        try:
            async with self.poller.connection.use() as db:
                for place in alarmed:
                    await positions.stop(db, self._group.name, place, None)
        except Exception as error:
            log.warning("going_on_not_written", group=self._group.name, error=describe(error))
            return
        for place in alarmed:
            self.pauses.lift(place)

    async def note_positions(self, consumer: Consumer) -> None:
        """After an empty fetch: move positions past commit markers and holes, once."""
        self._idle = True
        moves, at_end = [], []
        for place, expected in self.running(consumer).items():
            offset, seen = await reached(consumer, place)
            if offset > expected and (stale := self.poller.stale(place)) is not None:
                await self.trouble(consumer, place, Verdict("stop", stale))
                continue
            if seen is not None:
                self.poller.seen_until[place] = max(seen, self.poller.seen_until[place])
                at_end.append(place)
            if offset > expected:
                moves.append(Move(place, expected, offset, None))
        if moves:
            await self._move(consumer, moves)
        await self.well([place for place in at_end if place in self.pauses.standing])

    async def _move(self, consumer: Consumer, moves: list[Move]) -> None:
        try:
            async with self.poller.connection.use() as db, db.transaction():
                await positions.fence(db, self._group.name, self.poller.owner, moves)
        except Exception as error:
            trouble = "stale" if isinstance(error, StaleOwnerError) else "outage"
            self.postpone(consumer, [move.place for move in moves], trouble, describe(error))
        else:
            self.poller.expected |= {move.place: move.next_offset for move in moves}
