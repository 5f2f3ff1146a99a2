"""Looks into the broker's logs without a group: ends, the record at an offset, records of a stretch.

Nothing is committed, so that no consumer of the mesh is moved by somebody who looks.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from infra.ops.topic_broker import REQUEST_MS, BrokerError

Raw: TypeAlias = ConsumerRecord
FETCH_MS: Final = 200
IDLE_MS: Final = 20
"""How long the broker holds a fetch that finds nothing: other questions wait behind it."""
FETCH_BYTES: Final = 64 * 1024
"""Of a partition and fetch; a first batch that is larger comes whole."""
PATIENCE: Final = 10.0
"""Seconds for reading the next record of all partitions that were asked for."""


@dataclass(frozen=True, slots=True)
class Next:
    """The first visible record at or behind an offset; None where only markers and aborted records are."""

    record: Raw | None


@asynccontextmanager
async def log_reader(servers: str) -> AsyncIterator["LogReader"]:
    """A started reader; raises BrokerError when the broker cannot be reached or refuses."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the outcome is told, not every attempt
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=IDLE_MS,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    try:
        await consumer.start()
        yield LogReader(consumer)
    except (KafkaError, TimeoutError) as error:
        raise BrokerError(f"the broker at {servers} does not answer: {error!r}") from error
    finally:
        await consumer.stop()


class LogReader:
    """Reads one question at a time; not to be shared by tasks."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def bounds(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """First offset and read_committed end of each. Raises BrokerError for topics that do not exist."""
        missing = {place.topic for place in places} - await self._consumer.topics()
        if missing:
            raise BrokerError(f"no such topic: {', '.join(sorted(missing))}; run ./pickly topics apply")
        starts = await self._consumer.beginning_offsets(list(places))
        ends = await self._consumer.end_offsets(list(places))
        return {place: (starts[place], ends[place]) for place in places}

    async def next_records(
        self, wanted: Mapping[TopicPartition, tuple[int, int]]
    ) -> dict[TopicPartition, Next]:
        """What lies first in each stretch (offset, end). Left out: what cannot be read, or not in time."""
        found: dict[TopicPartition, Next] = {}
        try:
            async with asyncio.timeout(PATIENCE):
                await self._fill(found, wanted)
        except TimeoutError:
            return found
        except (KafkaError, UnicodeDecodeError):
            # One batch that cannot be read fails the fetch of all: leave that one out.
            if len(wanted) > 1:
                for place in wanted.keys() - found.keys():
                    found |= await self.next_records({place: wanted[place]})
        return found

    async def _fill(
        self, found: dict[TopicPartition, Next], wanted: Mapping[TopicPartition, tuple[int, int]]
    ) -> None:
        self._go({place: offset for place, (offset, _) in wanted.items()})
        while missing := wanted.keys() - found.keys():
            batches = await self._consumer.getmany(*missing, timeout_ms=FETCH_MS)
            for place in missing:
                if batches.get(place):
                    found[place] = Next(batches[place][0])
                elif await self._consumer.position(place) >= wanted[place][1]:
                    found[place] = Next(None)
                if place in found:
                    self._consumer.pause(place)

    async def each(
        self, wanted: Mapping[TopicPartition, Mapping[int, int]]
    ) -> dict[tuple[TopicPartition, int], Next]:
        """Likewise for several offsets of a partition, each with the end of its stretch; many at a time."""
        found: dict[tuple[TopicPartition, int], Next] = {}
        left = {place: dict(offsets) for place, offsets in wanted.items() if offsets}
        while left:
            step = {place: offsets.popitem() for place, offsets in left.items()}
            for place, known in (await self.next_records(step)).items():
                found[place, step[place][0]] = known
            left = {place: offsets for place, offsets in left.items() if offsets}
        return found

    async def at(
        self, wanted: Collection[tuple[TopicPartition, int]]
    ) -> dict[tuple[TopicPartition, int], Raw]:
        """The records at exactly these offsets. Left out: compacted away, expired, aborted, unreadable."""
        bounds = await self.bounds({place for place, _ in wanted})
        there: dict[TopicPartition, dict[int, int]] = {}
        for place, offset in wanted:
            if bounds[place][0] <= offset < bounds[place][1]:
                there.setdefault(place, {})[offset] = offset + 1
        return {
            where: known.record
            for where, known in (await self.each(there)).items()
            if known.record is not None and known.record.offset == where[1]
        }

    async def since(self, place: TopicPartition, at: datetime) -> int | None:
        """The first offset appended at `at` or later; None when there is none."""
        asked = {place: round(at.timestamp() * 1000)}
        found = (await self._consumer.offsets_for_times(asked))[place]
        return found.offset if found else None

    async def read(self, place: TopicPartition, offset: int, end: int) -> AsyncGenerator[Raw, None]:
        """The records from `offset` up to `end`, in order. Raises KafkaError for what cannot be read."""
        self._go({place: offset})
        while await self._consumer.position(place) < end:
            for record in (await self._consumer.getmany(place, timeout_ms=FETCH_MS)).get(place, ()):
                if record.offset >= end:
                    return
                yield record

    def _go(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(list(offsets))
        for place, offset in offsets.items():
            self._consumer.seek(place, offset)


def appended_at(record: Raw) -> datetime:
    """The broker's append time."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
