"""Group commit: one lane per partition, one batch of each lane away at a time.

Everything that arrives while a wave of batches is away goes with the next wave, so that under load a produce
request carries many records. A partition that stays silent is left out of the waves until it answers.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata
from prometheus_client import Counter

from infra.telemetry.errors import describe
from producers.errors import OutcomeUnknownError
from producers.link import Link
from producers.room import Record, Room

GRACE: Final = 0.05
"""Seconds that a wave waits for its last partitions before the next one leaves without them."""
TURNS: Final = 3
"""Turns of the event loop after a wave of several: what they bring goes with the next, which costs less."""
AGAIN: Final = 0.1
"""Seconds before a lane tries again whose batch could not even be handed over."""

SENT: Final = Counter("pickly_sender_records_total", "Records that the broker acknowledged.", ["topic"])
WAVES: Final = Counter("pickly_sender_waves_total", "Times that batches left together.")


@dataclass(slots=True, eq=False)
class Lane:
    """The records of one partition that wait for a batch; `known_to` is the producer that knows the topic."""

    topic: str
    partition: int
    sent: Counter
    waiting: deque[Record] = field(default_factory=deque)
    away: bool = False
    known_to: AIOKafkaProducer | None = None


@dataclass(slots=True, eq=False)
class _Wave:
    away: int = 0
    records: int = 0
    landed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Flight:
    """One batch on its way, with those whom it must answer."""

    lane: Lane
    wave: _Wave
    batch: BatchBuilder
    records: list[Record]
    over: bool = False


class Lanes:
    """All lanes of a process, flown over one link."""

    def __init__(self, kafka: str, room: Room) -> None:
        self.link = Link(kafka, self.lose)
        self._room = room
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._loaded: dict[Lane, None] = {}  # lanes with records and no batch away, first come first
        self._flights: set[_Flight] = set()
        self._arrived = asyncio.Event()
        self._departing: set[asyncio.Task[None]] = set()

    def enter(self, topic: str, partition: int, record: Record) -> Lane:
        """Let a record wait for the next batch of its partition."""
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = Lane(topic, partition, SENT.labels(topic))
        self._room.add(record)
        lane.waiting.append(record)
        self._load(lane)
        return lane

    def _load(self, lane: Lane) -> None:
        if lane.waiting and not lane.away:
            self._loaded[lane] = None
            self._arrived.set()

    def drop_abandoned(self, lane: Lane) -> None:
        """Forget the first in line as long as their callers have gone: what nobody waits for is not sent."""
        while lane.waiting and lane.waiting[0].answer.done():
            self._room.remove(lane.waiting.popleft())

    async def fly(self) -> None:
        """Send wave after wave until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            producer = await self.link.current()
            wave = _Wave()
            loaded, self._loaded = self._loaded, {}
            for lane in loaded:
                flight = None if lane.away else self._board(producer.create_batch(), lane, wave)
                if flight is None:
                    continue
                if lane.known_to is producer:
                    await self._depart(producer, flight)
                else:  # fetching a topic's metadata may take seconds: no other lane's business
                    self._spawn(self._depart(producer, flight))
            if wave.away:
                WAVES.inc()
                patience = asyncio.get_running_loop().call_later(GRACE, wave.landed.set)
                await wave.landed.wait()
                patience.cancel()
                if wave.records > 1:
                    for _ in range(TURNS):
                        await asyncio.sleep(0)

    def _board(self, batch: BatchBuilder, lane: Lane, wave: _Wave) -> _Flight | None:
        aboard: list[Record] = []
        self.drop_abandoned(lane)
        while lane.waiting:
            record = lane.waiting[0]
            if not _append(batch, record):
                break
            record.departed = True
            aboard.append(lane.waiting.popleft())
            self.drop_abandoned(lane)
        if not aboard:
            return None
        batch.close()
        flight = _Flight(lane, wave, batch, aboard)
        lane.away = True
        wave.away += 1
        wave.records += len(aboard)
        self._flights.add(flight)
        return flight

    def _spawn(self, departure: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(departure)
        self._departing.add(task)
        task.add_done_callback(self._departing.discard)

    async def _depart(self, producer: AIOKafkaProducer, flight: _Flight) -> None:
        lane = flight.lane
        try:
            future = await producer.send_batch(flight.batch, lane.topic, partition=lane.partition)
        except Exception as error:
            self._turn_back(flight, error)
        else:
            lane.known_to = producer
            future.add_done_callback(partial(self._landed, flight))

    def _turn_back(self, flight: _Flight, error: Exception) -> None:
        """The producer did not take the batch: its records are first in line again."""
        if flight.over:
            return
        for record in reversed(flight.records):
            record.departed = False
            flight.lane.waiting.appendleft(record)
        flight.records = []
        self._end(flight)
        self._loaded.pop(flight.lane, None)
        self.link.failed(error)
        asyncio.get_running_loop().call_later(AGAIN, self._load, flight.lane)

    def _landed(self, flight: _Flight, future: "asyncio.Future[RecordMetadata]") -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if flight.over:
            return
        if error is not None:
            self.link.failed(error)
            self._lost(flight, describe(error))
            return
        self.link.succeeded()
        first = future.result().offset
        for index, record in enumerate(flight.records):
            if not record.answer.done():
                record.answer.set_result((flight.lane.partition, first + index))
        flight.lane.sent.inc(len(flight.records))
        self._end(flight)

    def lose(self) -> None:
        """The producer is gone: nobody will know what became of the batches that are still away."""
        for flight in list(self._flights):
            self._lost(flight, "the connection to Kafka was given up")

    def _lost(self, flight: _Flight, reason: str) -> None:
        for record in flight.records:
            record.refuse(OutcomeUnknownError(reason))
        self._end(flight)

    def _end(self, flight: _Flight) -> None:
        flight.over = True
        self._flights.discard(flight)
        for record in flight.records:
            self._room.remove(record)
        flight.lane.away = False
        self._load(flight.lane)
        flight.wave.away -= 1
        if not flight.wave.away:
            flight.wave.landed.set()

    async def close(self) -> list[Record]:
        """End what is away; returns the records that never left."""
        departing = list(self._departing)
        for task in departing:
            task.cancel()
        await asyncio.gather(*departing, return_exceptions=True)
        self.lose()
        return [record for lane in self._lanes.values() for record in lane.waiting]


def _append(batch: BatchBuilder, record: Record) -> bool:
    """aiokafka says with None, and nothing else, that the batch is full and the record not in it."""
    place = batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return place is not None
