"""Reading topics back, with a plain consumer, to see what really is there."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from infra.settings import Settings
from schemas.topics import Topic


def header(record: ConsumerRecord[bytes, bytes], name: str) -> str | None:
    """The text of a record's header."""
    return next((value.decode() for key, value in record.headers if key == name), None)


async def ends(settings: Settings, topic: Topic) -> dict[int, int]:
    """The offset after the last record of every partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=None)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await consumer.stop()


async def read(
    settings: Settings, topic: Topic, since: dict[int, int] | None = None, *, committed: bool = True
) -> list[ConsumerRecord[bytes, bytes]]:
    """All records from the offsets `since` (else from the beginning) to the end, per partition in order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=None,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, (since or {}).get(place.partition, 0))
        last = await consumer.end_offsets(places)
        records: list[ConsumerRecord[bytes, bytes]] = []
        while [place for place in places if await consumer.position(place) < last[place]]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()
