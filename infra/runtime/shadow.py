"""A projection built beside the live one: from the start of the log, up to offsets that are told.

It is the same code and the same login role, in a schema of its own. It reads without being a member of a
Kafka group, for it must stop exactly where the live one stands, so that the two can be compared.
"""

import asyncio
import copy
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.roles import NEXT_SUFFIX
from infra.runtime import positions
from infra.runtime.broker_log import look
from infra.runtime.connection import Connection
from infra.runtime.fates import Fate, fate_of
from infra.runtime.fetch import fetch
from infra.runtime.pauses import FIRST_PAUSE, LONGEST_PAUSE
from infra.runtime.poll import Poller, Verdict
from infra.runtime.positions import Move
from infra.runtime.prepare import Preparation
from infra.runtime.projection import Projection
from infra.runtime.records import Record
from infra.settings import Settings
from infra.telemetry.errors import describe

log = structlog.get_logger(__name__)

MAX_RECORDS: Final = 4_000
LANES: Final = 2
"""Each reads its share of the partitions: while one waits for PostgreSQL, another decodes."""
PARTITION_BYTES: Final = 2 * 2**20
SESSION: Final = {"synchronous_commit": "off", "statement_timeout": "60s"}
"""What a crash of the server takes with it goes with its position: nothing needs to wait for the disk."""

T = TypeVar("T")
Progress = Callable[[int], None]
"""Told how many records were applied."""


class ShadowError(RuntimeError):
    """The projection cannot be built; says why."""


def beside(projection: Projection) -> Projection:
    """The same projection under the name `<name>_next`, for its group and its schema."""
    shadow = copy.copy(projection)
    shadow.name = shadow.schema = f"{projection.schema}{NEXT_SUFFIX}"
    return shadow


class Shadow:
    """All partitions of a projection's topics, in lanes."""

    def __init__(self, projection: Projection, settings: Settings, lanes: int = LANES) -> None:
        group, owner = beside(projection), f"{socket.gethostname()}/{os.getpid()}"
        options = {**SESSION, "search_path": group.schema}
        self._lanes: list[Lane] = []
        for number in range(lanes):
            places = [
                TopicPartition(topic.name, partition)
                for topic in group.topics.values()
                for partition in range(number, topic.partitions, lanes)
            ]
            connection = Connection(settings, projection.schema, purpose=group.name, options=options)
            poller = Poller(group, connection, Preparation(settings, projection.schema), f"{owner}/{number}")
            if places:
                self._lanes.append(Lane(poller, settings.kafka, places))

    async def start(self) -> None:
        """Connect, and go where the rows say; the start of the log where there are none yet."""
        await asyncio.gather(*(lane.start() for lane in self._lanes))

    async def advance(self, targets: Mapping[TopicPartition, int], applied: Progress) -> None:
        """Apply everything before the targets, and stand exactly there. Raises ShadowError."""
        await asyncio.gather(*(lane.advance(targets, applied) for lane in self._lanes))

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes))


class Lane:
    """Some partitions, read by one consumer and applied over one connection."""

    def __init__(self, poller: Poller, kafka: str, places: Sequence[TopicPartition]) -> None:
        self._poller = poller
        self._places = places
        self._pause = FIRST_PAUSE
        self._lost: set[TopicPartition] = set()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            client_id=poller.group.name,
            group_id=None,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=PARTITION_BYTES,
        )

    async def start(self) -> None:
        """Connect, and take the positions from Postgres, beginning where there are none."""
        await self._consumer.start()
        self._consumer.assign(self._places)
        for place in self._places:
            self._consumer.seek(place, 0)
            self._consumer.pause(place)
        await self._patiently(self._begin, ())

    async def _begin(self) -> None:
        logs = await look(self._consumer, self._places)
        async with self._poller.connection.use() as db:
            await positions.create(
                db,
                self._poller.group.name,
                {place: known.start for place, known in logs.items()},
                {place.topic: known.topic_id for place, known in logs.items()},
            )

    async def advance(self, targets: Mapping[TopicPartition, int], applied: Progress) -> None:
        """Apply everything before the targets of these partitions. Raises ShadowError."""
        going = self._lost = {place for place in self._places if place in targets}
        while going:
            left = {place: targets[place] for place in going}
            going = going - await self._patiently(partial(self._step, left, applied), going)

    async def _patiently(self, work: Callable[[], Awaitable[T]], going: Iterable[TopicPartition]) -> T:
        """Do `work`; when something it needs is away, wait, and do it again from the rows of `going`."""
        while True:
            try:
                await self._enter()
                return await work()
            except Exception as error:
                if fate_of(error) not in (Fate.OUTAGE, Fate.AGAIN):
                    raise
                log.info("shadow_waits", group=self._poller.group.name, error=describe(error))
                await self._rest(going)

    async def _enter(self) -> None:
        """Go where the rows say, with what is entered first or again."""
        if not self._lost:
            return
        async with self._poller.connection.use() as db:
            rows = await positions.load(db, self._poller.group.name, self._lost)
        for place, row in rows.items():
            self._poller.expected[place] = row.next_offset
            self._poller.seen_until[place] = row.applied_at or self._poller.now()
            self._consumer.seek(place, row.next_offset)
            self._consumer.resume(place)
        self._lost = set()

    async def _step(self, going: Mapping[TopicPartition, int], applied: Progress) -> set[TopicPartition]:
        """One fetch and one poll; returns the partitions that have arrived."""
        expected = self._poller.expected
        if done := await self._arrived({p: target for p, target in going.items() if expected[p] >= target}):
            return done
        fetched = await fetch(self._consumer, {place: expected[place] for place in going}, MAX_RECORDS)
        polled: dict[TopicPartition, list[Record]] = {}
        for raw in fetched.records:
            record = Record.of(raw)
            if record.offset < going.get(record.place, 0):
                polled.setdefault(record.place, []).append(record)
        verdicts = {**fetched.troubles, **await self._poller.run(polled)}
        troubled = {place: verdict for place, verdict in verdicts.items() if verdict.trouble}
        applied(sum(len(records) for place, records in polled.items() if place not in troubled))
        if troubled:
            self._require_hope(troubled)
            await self._rest(troubled)
        else:
            self._pause = FIRST_PAUSE
        well = going.keys() - troubled.keys()
        return await self._arrived(
            {p: going[p] for p in well if await self._consumer.position(p) >= going[p]}
        )

    def _require_hope(self, troubled: Mapping[TopicPartition, Verdict]) -> None:
        """An outage ends, and a record that fails is tried again; nothing else gets better by waiting."""
        for place, verdict in troubled.items():
            if verdict.trouble not in ("outage", "retry"):
                raise ShadowError(f"{place.topic}/{place.partition}: {verdict.reason}")

    async def _rest(self, places: Iterable[TopicPartition]) -> None:
        self._lost = self._lost | set(places)
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _arrived(self, there: Mapping[TopicPartition, int]) -> set[TopicPartition]:
        """Set them at their targets, past markers and holes; nothing of them is read on."""
        expected = self._poller.expected
        moves = [Move(p, expected[p], target, None) for p, target in there.items() if expected[p] < target]
        if moves:
            async with self._poller.connection.use() as db, db.transaction():
                await positions.fence(db, self._poller.group.name, self._poller.owner, moves)
            expected |= {move.place: move.next_offset for move in moves}
        for place in there:
            self._consumer.pause(place)
        return set(there)

    async def stop(self) -> None:
        """Disconnect; nothing is left behind on the broker."""
        await self._consumer.stop()
        await self._poller.connection.close()
