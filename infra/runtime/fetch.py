"""One fetch from the broker, from which nothing gets lost.

aiokafka moves its position while it hands records out. When it fails halfway (a batch with an unknown codec,
a header name that is not UTF-8), what it had taken from other partitions is gone for it, on topics with holes
without a trace. So after a failure every partition is set back to what was applied, and read alone, to find
the one that is to blame.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from infra.runtime.poll import Verdict
from infra.telemetry.errors import describe

Consumer: TypeAlias = AIOKafkaConsumer

FETCH_MS: Final = 200
LONGEST_FETCH: Final = 5.0
"""Seconds; without an end the fetch would wait as long as a rebalance does, and look dead."""
MISPLACED: Final = (OffsetOutOfRangeError, NoOffsetForPartitionError)
UNREADABLE: Final = (CorruptRecordException, UnsupportedCodecError)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records in the order of their partitions, and the partitions that could not be read."""

    records: tuple[ConsumerRecord, ...] = ()
    troubles: Mapping[TopicPartition, Verdict] = field(default_factory=dict)


async def fetch(
    consumer: Consumer, running: Mapping[TopicPartition, int], max_records: int, patience: int = FETCH_MS
) -> Fetched:
    """Read what is there, or comes within `patience` ms. `running` tells which offset comes next for us.

    Partitions that are tried again after they stood still come last in it.
    """
    try:
        return Fetched(await _read(consumer, (), max_records, patience))
    except ConsumerStoppedError:
        raise
    except MISPLACED as error:
        reason = f"no such offset: {describe(error)}"
        return Fetched(troubles={place: Verdict("stale", reason) for place in _places(error)})
    except Exception as error:
        set_back(consumer, running)
        if isinstance(error, KafkaError) and not isinstance(error, UNREADABLE):
            await asyncio.sleep(FETCH_MS / 1000)
            return Fetched(troubles={place: Verdict("outage", describe(error)) for place in running})
    return Fetched(troubles=await _culprit(consumer, running, max_records))


def set_back(consumer: Consumer, running: Mapping[TopicPartition, int]) -> None:
    """Let the consumer read on from what was applied; partitions that were taken from us meanwhile stay."""
    for place, offset in running.items():
        try:
            consumer.seek(place, offset)
        except IllegalStateError:
            continue


async def _read(
    consumer: Consumer, places: Iterable[TopicPartition], most: int, patience: int = FETCH_MS
) -> tuple[ConsumerRecord, ...]:
    try:
        async with asyncio.timeout(LONGEST_FETCH):
            batches = await consumer.getmany(*places, timeout_ms=patience, max_records=most)
    except TimeoutError:
        return ()
    return tuple(chain.from_iterable(batches.values()))


async def _culprit(
    consumer: Consumer, running: Mapping[TopicPartition, int], max_records: int
) -> dict[TopicPartition, Verdict]:
    """Read partition by partition, the latest suspects first, until one fails: it must stand still."""
    for place, offset in reversed(list(running.items())):
        try:
            await _read(consumer, (place,), max_records)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            reason = f"a batch at or behind offset {offset} cannot be read: {describe(error)}"
            return {place: Verdict("stop", reason)}
        finally:
            set_back(consumer, {place: offset})
    return {}


def _places(error: KafkaError) -> list[TopicPartition]:
    """`OffsetOutOfRangeError({partition: offset})`, `NoOffsetForPartitionError(partition)`."""
    (about,) = error.args
    return [about] if isinstance(about, TopicPartition) else list(about)
