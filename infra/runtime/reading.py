"""One poll, read from the broker and decoded in slices, so that it can go on beside a transaction."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition

from infra.runtime.decoding import Reading
from infra.runtime.fetch import FETCH_MS, Consumer, fetch
from infra.runtime.group import Group
from infra.runtime.poll import Verdict
from infra.runtime.records import Record

SLICE: Final = 25
"""Records read at a stretch, about 0.3 ms; after each slice a transaction gets its turn."""

FULL: Final = 50
"""A poll of so many records is full enough: the next one is read while its transaction goes on."""
LONGEST_REST: Final = 0.02


@dataclass(slots=True)
class Poll:
    """What one poll brought, partition by partition, and which partitions could not be read."""

    readings: dict[TopicPartition, Reading] = field(default_factory=dict)
    troubles: Mapping[TopicPartition, Verdict] = field(default_factory=dict)
    records: int = 0

    def __len__(self) -> int:
        return self.records

    def only(self, places: Collection[TopicPartition]) -> "Poll":
        """Without what came from other partitions."""
        kept = {place: reading for place, reading in self.readings.items() if place in places}
        return Poll(kept, self.troubles, sum(len(reading) for reading in kept.values()))


async def read(consumer: Consumer, group: Group, running: Mapping[TopicPartition, int], most: int) -> Poll:
    """At most `most` records: those that are there, or the first that arrive within FETCH_MS."""
    poll, patience = Poll(), FETCH_MS
    while poll.records < most:
        wanted = min(SLICE, most - poll.records)
        fetched = await fetch(consumer, running, wanted, patience)
        for raw in fetched.records:
            record = Record.of(raw)
            poll.readings.setdefault(record.place, Reading()).add(record, group)
        poll.records += len(fetched.records)
        poll.troubles = fetched.troubles
        if len(fetched.records) < wanted:
            break
        patience = 0
        await asyncio.sleep(0)
    return poll


def rest(records: int, seconds: float) -> float:
    """How long to let records gather after a poll that took so long, when more were waiting already.

    Polls of a few records cost almost as much as full ones. As long as the work itself, so that it slows down
    a busy machine least, and ends by itself when less arrives.
    """
    return min(LONGEST_REST, seconds) if 1 < records < FULL else 0.0
