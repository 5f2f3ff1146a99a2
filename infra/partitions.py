"""Which partition a key lives on: murmur2 of the part before the first slash, as Kafka's clients do it."""

from typing import Final

from aiokafka.partitioner import murmur2

from schemas.topics import Topic

CLOCK_PREFIX: Final = "tick/"
"""Keys of Tick and Heartbeat, `tick/<partition>`; their partition is set explicitly."""


def partition_of(key: str, topic: Topic) -> int:
    """The partition of `key` on `topic`; an edge `<subject>/<edge>` lives with its subject."""
    hashed: int = murmur2(key.partition("/")[0].encode())
    return (hashed & 0x7FFFFFFF) % topic.partitions
