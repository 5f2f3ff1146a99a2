"""Kafka below the producer: batches of any bytes, and what the group coordinator knows."""

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from tests.infra.runtime.kafka.stage import Header, Stage

CRC_AT, ATTRIBUTES_AT, RECORDS_AT = 17, 21, 61
"""Offsets in a record batch of magic 2: crc, attributes, first record."""


def batch(*records: tuple[bytes | None, bytes | None, list[Header]]) -> bytearray:
    """An uncompressed record batch of (key, value, headers)."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=2**20,
    )
    for offset, (key, value, headers) in enumerate(records):
        assert builder.append(offset, timestamp=0, key=key, value=value, headers=headers) is not None
    return bytearray(builder.build())


def sealed(made: bytearray) -> bytes:
    """The batch with the checksum of what it now holds."""
    made[CRC_AT : CRC_AT + 4] = calc_crc32c(bytes(made[ATTRIBUTES_AT:])).to_bytes(4, "big")
    return bytes(made)


def zstandard(made: bytearray) -> bytes:
    """The batch as if compressed with Zstandard: one frame with one raw block (RFC 8878, 3.1.1)."""
    content = bytes(made[RECORDS_AT:])
    size = len(content)
    frame = b"\x28\xb5\x2f\xfd" + b"\xa0" + size.to_bytes(4, "little") + (size << 3 | 1).to_bytes(3, "little")
    made[RECORDS_AT:] = frame + content
    made[ATTRIBUTES_AT + 1] |= 4
    made[8:12] = (len(made) - 12).to_bytes(4, "big")
    return sealed(made)


async def produce(stage: Stage, place: TopicPartition, made: bytes) -> None:
    """Hand a batch to the broker as it is; raises what the broker answers."""
    client = AIOKafkaClient(bootstrap_servers=stage.settings.kafka)
    await client.bootstrap()
    try:
        request = ProduceRequest(
            transactional_id=None,
            required_acks=-1,
            timeout=5000,
            topics=[(place.topic, [(place.partition, made)])],
        )
        response = await client.send(client.get_random_node(), request)
        ((_, ((_, code, *_),)),) = response.topics
        if code:
            raise for_code(code)
    finally:
        await client.close()


async def kafka_offsets(stage: Stage, group: str) -> dict[TopicPartition, int]:
    """What Kafka itself has as the group's offsets."""
    known = await stage.admin.list_consumer_group_offsets(group)
    return {place: each.offset for place, each in known.items()}
