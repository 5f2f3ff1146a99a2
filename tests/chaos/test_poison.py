"""Poison dies of what it was made for, and what is only hostile does not die."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from consumers.registry import ALL
from infra.partitions import partition_of
from infra.runtime.decoding import decode
from infra.runtime.letters import SHARE
from infra.runtime.records import Dead, Decoded, Incoming, Record
from schemas.topics import PARTITIONS
from tests.chaos.poison import HARMLESS, KINDS, MOST, Cabinet, Poison, sound

NO_TEXT = (b"\xff\xfe\xfd", b"a\x00b")
"""Keys that nothing can come behind."""


def decoded(poison: Poison) -> Decoded:
    """What the group that reads it makes of the record."""
    place = (poison.topic.name, poison.partition, 0, datetime.now(UTC))
    record = Record(*place, poison.key, poison.value, poison.headers)
    return decode(record, ALL[poison.topic.owner])


def test_the_record_that_poison_is_made_of_is_sound() -> None:
    assert isinstance(decoded(sound(uuid4())), Incoming)


@pytest.mark.parametrize("kind", KINDS)
def test_poison_dies_of_its_reason(kind: str) -> None:
    reason, make = KINDS[kind]

    letter = decoded(make(sound(uuid4())))

    assert isinstance(letter, Dead)
    assert letter.reason == reason


@pytest.mark.parametrize("kind", KINDS)
def test_poison_lies_where_what_comes_behind_it_will(kind: str) -> None:
    _, make = KINDS[kind]

    poison = make(sound(uuid4()))

    assert poison.key in (None, *NO_TEXT) or poison.partition == partition_of(poison.key_text, poison.topic)


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_only_hostile_is_a_message(kind: str) -> None:
    assert isinstance(decoded(HARMLESS[kind](sound(uuid4()))), Incoming)


def test_never_so_much_of_it_that_a_circuit_opens() -> None:
    cabinet = Cabinet(seed=1)

    taken = [cabinet.take(uuid4()) for _ in range(5_000)]

    planted = [poison for poison in taken if poison is not None and poison.reason]
    places = [(poison.topic, poison.partition) for poison in planted]
    assert MOST <= SHARE
    assert max(places.count(place) for place in places) == MOST
    assert len(planted) > MOST * PARTITIONS
    assert {poison.name for poison in planted} == set(KINDS)
