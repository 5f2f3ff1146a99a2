"""Makes the broker compact at once what it would compact within a day, and knows when it has."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra.ops.topic_broker import NotYetError, admin_of
from infra.ops.topic_plan import broker_settings
from infra.partitions import CLOCK_PREFIX
from infra.settings import Settings
from producers.send import Sender
from schemas.envelope import Meta
from schemas.message import Heartbeat
from schemas.topics import TOPICS
from tests.chaos.log import read_topics

SEGMENT_SECONDS: Final = 2.0
EAGER: Final = {
    "segment.ms": str(int(SEGMENT_SECONDS * 1000)),
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
}
"""How long tombstones are kept stays as it is: readers that are away may count on it."""
BROKER: Final = "1"
CLEANER: Final = {"log.cleaner.backoff.ms": "500"}
COMPACTED: Final = [topic for topic in TOPICS.values() if topic.kind.compacted]
WITHIN: Final = 90.0
AGAIN: Final = 0.5


async def force_compaction(settings: Settings) -> None:
    """Small segments, no lag, and a cleaner that does not rest; asked for until the broker has agreed."""
    while True:
        try:
            await _configure(settings)
            return
        except NotYetError:
            await asyncio.sleep(AGAIN)


async def _configure(settings: Settings) -> None:
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, topic.name, broker_settings(topic, settings.replication) | EAGER
        )
        for topic in COMPACTED
    ]
    resources.append(ConfigResource(ConfigResourceType.BROKER, BROKER, CLEANER))
    async with admin_of(settings.kafka) as admin:
        for response in await admin.alter_configs(resources):
            for resource in response.to_object()["resources"]:
                if resource["error_code"]:
                    raise RuntimeError(f"the broker does not compact: {resource}")


async def compact(settings: Settings) -> int:
    """Roll the segments until one record a key is left; how many records too many there still are."""
    deadline = time.monotonic() + WITHIN
    while (too_many := await _superseded(settings)) and time.monotonic() < deadline:
        await _roll(settings)
        await asyncio.sleep(SEGMENT_SECONDS)
    return too_many


async def _superseded(settings: Settings) -> int:
    topics = await read_topics(settings.kafka, COMPACTED)
    keys = Counter(
        (topic, entry.key)
        for topic, entries in topics.items()
        for entry in entries
        if entry.type != Heartbeat.__name__
    )
    return keys.total() - len(keys)


async def _roll(settings: Settings) -> None:
    """A heartbeat on every partition, as the clock sends them: a segment closes when a record comes late."""
    sender = Sender(settings)
    await sender.start()
    try:
        for topic in COMPACTED:
            for partition in range(topic.partitions):
                key = f"{CLOCK_PREFIX}{partition}"
                meta = Meta(uuid4(), Heartbeat.__name__, datetime.now(UTC), key, source="pickly/clock")
                await sender.send_record(topic, partition, key, b"{}", meta.headers())
    finally:
        await sender.stop()
