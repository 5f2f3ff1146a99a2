"""Which partition a key lives on: murmur2 of the part before the first slash, as Kafka's clients do it."""

from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

from schemas.topics import Topic

CLOCK_PREFIX: Final = "tick/"
"""Keys of Tick and Heartbeat, `tick/<partition>`; their partition is set explicitly."""


def partition_of(key: str, topic: Topic) -> int:
    """The partition of `key` on `topic`; an edge `<subject>/<edge>` lives with its subject."""
    return _hash(key.partition("/")[0]) % topic.partitions


@lru_cache(maxsize=10_000)
def _hash(subject: str) -> int:
    """Remembered, for a subject comes several times for each message, and this is Python: 5 us."""
    hashed: int = murmur2(subject.encode())
    return hashed & 0x7FFFFFFF
