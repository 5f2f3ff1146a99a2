"""Reads topics whole, as any reader of committed records sees them, and trusts nothing in them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.topics import Topic

FETCH_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """A record. `headers` and `key` as far as they are text; of two headers of a name the last counts."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: str | None
    value: bytes | None
    headers: dict[str, str]

    @property
    def id(self) -> UUID | None:
        """The id of its message, when it can be read."""
        return uuid_of(self.headers.get("ce_id"))

    @property
    def type(self) -> str:
        """The type on the wire."""
        return self.headers.get("ce_type", "")

    @property
    def version(self) -> int:
        """The version of its key, on state topics."""
        text = self.headers.get("ce_sequence", "")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def place(self) -> str:
        """Where it lies: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def body_hash(self) -> str:
        """SHA-256 of the value, in hex."""
        return hashlib.sha256(self.value or b"").hexdigest()


def uuid_of(text: str | None) -> UUID | None:
    """The UUID that the text is, else None."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


async def read_topics(servers: str, topics: Collection[Topic]) -> dict[str, list[Entry]]:
    """Every committed record of each topic, partition after partition in the order of its log."""
    places = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        entries = await _read(consumer, places)
    finally:
        await consumer.stop()
    result: dict[str, list[Entry]] = {topic.name: [] for topic in topics}
    for entry in sorted(entries, key=lambda each: (each.partition, each.offset)):
        result[entry.topic].append(entry)
    return result


async def _read(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> list[Entry]:
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    left = {place for place in places if starts[place] < ends[place]}
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    entries: list[Entry] = []
    while left:
        batches = await consumer.getmany(*left, timeout_ms=200, max_records=5_000)
        for place, records in batches.items():
            entries += [_entry(record) for record in records if record.offset < ends[place]]
        left = {place for place in left if await consumer.position(place) < ends[place]}
    return entries


def _entry(raw: ConsumerRecord) -> Entry:
    return Entry(
        raw.topic,
        raw.partition,
        raw.offset,
        datetime.fromtimestamp(raw.timestamp / 1000, UTC),
        None if raw.key is None else raw.key.decode("utf-8", "backslashreplace"),
        raw.value,
        {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in raw.headers},
    )
