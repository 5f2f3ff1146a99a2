"""The reader of logs: one bad batch hides nobody else, and only the record that was asked for is given."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.ops.lag_model import Part, oldest
from infra.ops.log_reader import LogReader, appended_at, log_reader
from infra.ops.topic_broker import BrokerError
from infra.settings import Settings
from tests.infra.ops.lag.world import World
from tests.infra.runtime.kafka import wire
from tests.infra.runtime.kafka.stage import Stage


@pytest.fixture
async def places(settings: Settings) -> AsyncIterator[list[TopicPartition]]:
    """Three partitions of a topic of this test's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    name = f"ops.{uuid4().hex}"
    times = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(name, 3, 1, topic_configs=times)])
    yield [TopicPartition(name, number) for number in range(3)]
    await admin.delete_topics([name])
    await admin.close()


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[LogReader]:
    """A started reader."""
    async with log_reader(settings.kafka) as reader:
        yield reader


async def test_a_batch_that_nobody_can_read_hides_no_other_partition(
    world: World, reader: LogReader, places: list[TopicPartition]
) -> None:
    good, bad, empty = places
    _, at = await world.send(good)
    batch = wire.zstandard(wire.batch((b"k", b"{}", [])))
    await wire.produce(cast(Stage, world), bad, batch)  # of which it uses the settings only
    await world.abort(empty, 1)
    bounds = await reader.bounds(places)

    found = await reader.next_records(bounds)

    assert found.keys() == {good, empty}
    assert found[empty].record is None
    record = found[good].record
    assert record is not None
    assert appended_at(record) == at


async def test_only_the_record_at_an_offset_is_given_for_it(
    world: World, reader: LogReader, places: list[TopicPartition]
) -> None:
    place = places[0]
    first, _ = await world.send(place)
    await world.abort(place, 1)
    last, _ = await world.send(place)

    found = await reader.at({(place, offset) for offset in range(-1, last + 3)})

    assert sorted(offset for _, offset in found) == [first, last]
    assert {record.offset for record in found.values()} == {first, last}


async def test_the_records_of_a_stretch_end_where_it_ends(
    world: World, reader: LogReader, places: list[TopicPartition]
) -> None:
    place = places[0]
    times = [(await world.send(place))[1] for _ in range(3)]

    read = [record.offset async for record in reader.read(place, 1, 2)]

    assert read == [1]
    assert await reader.since(place, times[2]) == times.index(times[2])
    assert await reader.since(place, datetime(2100, 1, 1, tzinfo=UTC)) is None


async def test_a_topic_that_does_not_exist_says_what_to_do(reader: LogReader) -> None:
    with pytest.raises(BrokerError, match=r"no such topic: ops\.none; run \./pickly topics apply"):
        await reader.bounds([TopicPartition("ops.none", 0)])


def test_an_age_that_is_not_known_is_none_unless_another_is_known() -> None:
    now = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
    unreadable = Part("g", "t.x", 0, 0, 9, readable=False)
    waiting = Part("g", "t.x", 1, 0, 9, oldest_at=datetime(2026, 6, 1, 12, tzinfo=UTC))

    assert oldest([unreadable], now) is None
    assert oldest([unreadable, waiting], now) == 5.0
    assert oldest([], now) == 0.0
