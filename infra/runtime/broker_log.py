"""What the broker says about the log of a partition, and whether a position still fits to it."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.consumer.fetcher import READ_COMMITTED, OffsetResetStrategy
from aiokafka.errors import IllegalStateError, for_code
from aiokafka.protocol.offset import OffsetRequest

from infra.runtime.fates import OutageError
from infra.runtime.fetch import Consumer
from infra.runtime.positions import Position
from infra.topic_ids import topic_ids

LOOK_SECONDS: Final = 2.0
START, END = OffsetResetStrategy.EARLIEST, OffsetResetStrategy.LATEST


@dataclass(frozen=True, slots=True)
class Log:
    """First offset, end for read_committed, and the topic's id."""

    start: int
    end: int
    topic_id: str


async def look(consumer: Consumer, places: Collection[TopicPartition]) -> dict[TopicPartition, Log]:
    """Ask for the logs of partitions; raises OutageError, KafkaError or TimeoutError when nobody tells."""
    topics = {place.topic for place in places}
    async with asyncio.timeout(LOOK_SECONDS):
        starts, ends = await _offsets(consumer, places, START), await _offsets(consumer, places, END)
        ids = await topic_ids(consumer, topics)
    if topics - ids.keys():
        raise OutageError(f"the broker does not tell the ids of {sorted(topics - ids.keys())}")
    return {place: Log(starts[place], ends[place], ids[place.topic]) for place in places}


async def _offsets(
    consumer: Consumer, places: Collection[TopicPartition], which: int
) -> dict[TopicPartition, int]:
    """The first or the last stable offset of each partition.

    `consumer.end_offsets` would do, but it asks on the connection of the fetches, where the answer waits for
    a fetch that finds nothing: up to half a second, three times, and the loop with it.
    """
    client = consumer._client
    leaders: dict[int | None, dict[str, list[tuple[int, int]]]] = {}
    for place in places:
        topics = leaders.setdefault(client.cluster.leader_for_partition(place), {})
        topics.setdefault(place.topic, []).append((place.partition, which))
    result = {}
    for leader, topics in leaders.items():
        if leader is None or leader < 0:
            raise OutageError(f"no broker leads {sorted(topics)}")
        question = OffsetRequest(-1, READ_COMMITTED, list(topics.items()))
        answer = await client.send(leader, question, group=ConnectionGroup.COORDINATION)
        for topic, partitions in answer.topics:
            for partition, code, _, offset in partitions:
                if code:
                    raise for_code(code)(f"{topic}/{partition}")
                result[TopicPartition(topic, partition)] = offset
    return result


def misfit(row: Position, offset: int, log: Log) -> str | None:
    """Why `offset` cannot be read on from in `log`, or None."""
    if row.topic_id and row.topic_id != log.topic_id:
        return f"topic was deleted and made anew: its id was {row.topic_id}, is {log.topic_id}"
    if offset > log.end:
        return f"position {offset} lies behind the end of the log, {log.end}"
    if offset < log.start:
        return f"records {offset} to {log.start - 1} are gone before they were read"
    return None


async def reached(consumer: Consumer, place: TopicPartition) -> tuple[int, datetime | None]:
    """How far the consumer is, past commit markers and holes, and when that was the end, if it was.

    Only what the broker answered counts: nothing also comes from one that is away.
    """
    try:
        position: int = await consumer.position(place)
        end, asked = consumer.last_stable_offset(place), consumer.last_poll_timestamp(place)
    except (IllegalStateError, AssertionError):  # taken from us meanwhile
        return 0, None
    at_end = end is not None and asked is not None and position >= end
    return position, datetime.fromtimestamp(asked / 1000, UTC) if at_end else None
