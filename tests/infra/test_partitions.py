"""Keys lie where Kafka's own clients would put them, and everything about one subject lies together."""

import random
from uuid import uuid4

import pytest
from aiokafka.partitioner import murmur2 as aiokafkas

from infra.partitions import CLOCK_PREFIX, murmur2, partition_of
from schemas.topics import PICK_EVENTS, REACTION_COMMANDS


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)],
)
def test_a_key_lies_where_kafkas_own_partitioner_puts_it(key: str, murmur2: int) -> None:
    """The hashes are those of Apache Kafka's UtilsTest."""
    assert partition_of(key, PICK_EVENTS) == (murmur2 & 0x7FFFFFFF) % PICK_EVENTS.partitions


def test_our_hash_is_aiokafkas_for_all_lengths_and_bytes() -> None:
    numbers = random.Random(7)
    for length in range(70):
        key = numbers.randbytes(length)

        assert murmur2(key) == aiokafkas(key)


def test_an_edge_lives_with_its_subject() -> None:
    for pick in (uuid4() for _ in range(50)):
        edges = [f"{pick}/{uuid4()}/{kind}" for kind in ("like", "love")]

        where = {partition_of(key, REACTION_COMMANDS) for key in (str(pick), *edges)}

        assert len(where) == 1


def test_keys_of_the_clock_would_all_lie_together_which_is_why_their_partition_is_named() -> None:
    assert len({partition_of(f"{CLOCK_PREFIX}{number}", PICK_EVENTS) for number in range(12)}) == 1
