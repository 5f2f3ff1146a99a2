"""Which partition a key lives on: murmur2 of the part before the first slash, as Kafka's clients do it."""

import struct
from typing import Final

from schemas.topics import Topic

SEED: Final = 0x9747B28C
FACTOR: Final = 0x5BD1E995
MASK: Final = 0xFFFFFFFF
CLOCK_PREFIX: Final = "tick/"
"""Keys of Tick and Heartbeat, `tick/<partition>`; their partition is set explicitly."""


def partition_of(key: str, topic: Topic) -> int:
    """The partition of `key` on `topic`; an edge `<subject>/<edge>` lives with its subject."""
    return (murmur2(key.partition("/")[0].encode()) & 0x7FFFFFFF) % topic.partitions


def murmur2(data: bytes) -> int:
    """32 bits, as Kafka's `Utils.murmur2` has them; aiokafka's takes twice as long, byte by byte."""
    hashed = SEED ^ len(data)
    for word in struct.unpack_from(f"<{len(data) // 4}I", data):
        word = word * FACTOR & MASK
        hashed = (hashed * FACTOR & MASK) ^ ((word ^ word >> 24) * FACTOR & MASK)
    if rest := data[len(data) & ~3 :]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * FACTOR & MASK
    hashed = (hashed ^ hashed >> 13) * FACTOR & MASK
    return hashed ^ hashed >> 15
