"""The clock: each minute once per partition, the same from every clock, and never a burst of old ones."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from infra.settings import Settings
from producers.clock import HEARTBEAT_MINUTES, MINUTE, Clock, clock_id
from producers.send import Sender
from schemas.envelope import Meta
from schemas.message import CLOCK_TYPES, Heartbeat, Tick
from schemas.topics import PICK_COMMANDS, PICK_EVENTS, REACTION_COMMANDS, THING_EVENTS, TOPICS, Kind, Topic
from tests.producers.reading import ends, header, read
from tests.producers.world import PATIENCE, until

REPOSITORY = Path(__file__).parents[2]
COMMAND_TOPICS = (PICK_COMMANDS, REACTION_COMMANDS)
NOON = 1_764_072_000  # a whole number of ten minutes


class Hands:
    """A clock face that a test moves."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hands() -> Hands:
    """Some seconds after noon."""
    return Hands(NOON + 7)


@pytest.fixture
def clock(sender: Sender, hands: Hands) -> Clock:
    """A clock over all declared topics."""
    return Clock(sender, list(TOPICS.values()), hands)


async def said(kafka: Settings, topic: Topic, since: dict[int, int]) -> list[tuple[int, str, str]]:
    """Partition, type and id of what came."""
    return [
        (record.partition, header(record, "ce_type") or "", header(record, "ce_id") or "")
        for record in await read(kafka, topic, since)
    ]


async def test_a_minute_is_one_tick_on_every_partition_of_every_command_topic(
    kafka: Settings, clock: Clock
) -> None:
    since = {topic: await ends(kafka, topic) for topic in COMMAND_TOPICS}

    assert await clock.look()
    assert await clock.look()

    for topic in COMMAND_TOPICS:
        assert await said(kafka, topic, since[topic]) == [
            (partition, "Tick", str(clock_id(topic, partition, NOON // MINUTE)))
            for partition in range(topic.partitions)
        ]


async def test_ten_minutes_are_one_heartbeat_on_every_partition_of_every_compacted_topic(
    kafka: Settings, clock: Clock, hands: Hands
) -> None:
    compacted = [topic for topic in TOPICS.values() if topic.kind.compacted]
    since = {topic: await ends(kafka, topic) for topic in compacted}

    for _ in range(HEARTBEAT_MINUTES + 1):
        assert await clock.look()
        hands.at += MINUTE

    assert {PICK_EVENTS, THING_EVENTS} <= set(compacted)
    for topic in compacted:
        beats = await said(kafka, topic, since[topic])
        assert [(partition, kind) for partition, kind, _ in beats] == [
            (partition, "Heartbeat") for partition in range(topic.partitions) for _ in range(2)
        ]


async def test_its_records_can_be_told_from_others_and_have_no_version(
    kafka: Settings, clock: Clock, hands: Hands
) -> None:
    since = {topic: await ends(kafka, topic) for topic in (PICK_COMMANDS, PICK_EVENTS)}

    await clock.look()

    for topic, message in ((PICK_COMMANDS, Tick), (PICK_EVENTS, Heartbeat)):
        for record in await read(kafka, topic, since[topic]):
            headers = {name: value.decode() for name, value in record.headers}
            meta = Meta.from_headers(headers, hands.at)  # type: ignore[arg-type]  # the time does not matter
            assert meta.type in CLOCK_TYPES
            assert meta.sequence is None
            assert record.key == f"tick/{record.partition}".encode()
            assert record.value is not None, "it would be a tombstone"
            message.model_validate_json(record.value)


async def test_two_clocks_say_the_same(kafka: Settings, sender: Sender, hands: Hands) -> None:
    since = await ends(kafka, PICK_COMMANDS)

    for _ in range(2):
        await Clock(sender, [PICK_COMMANDS], hands).look()

    ticks = await said(kafka, PICK_COMMANDS, since)
    assert len(ticks) == 2 * PICK_COMMANDS.partitions
    assert len(set(ticks)) == PICK_COMMANDS.partitions, "the inbox would take both"


async def test_after_a_long_sleep_only_the_present_minute_is_said(
    kafka: Settings, clock: Clock, hands: Hands
) -> None:
    since = await ends(kafka, PICK_COMMANDS)
    await clock.look()

    hands.at += 8 * 60 * MINUTE
    assert clock.why_not_ready() is not None
    await clock.look()

    assert clock.why_not_ready() is None
    ids = {identity for _, _, identity in await said(kafka, PICK_COMMANDS, since)}
    minutes = (NOON // MINUTE, NOON // MINUTE + 8 * 60)
    assert ids == {
        str(clock_id(PICK_COMMANDS, partition, minute))
        for partition in range(PICK_COMMANDS.partitions)
        for minute in minutes
    }


async def test_a_minute_that_failed_is_said_again_with_the_same_ids(kafka: Settings, hands: Hands) -> None:
    since = await ends(kafka, PICK_COMMANDS)
    sender = Sender(kafka, deadline=0.2)  # not started: nothing leaves it
    clock = Clock(sender, [PICK_COMMANDS], hands)

    assert not await clock.look()
    assert clock.why_not_ready() is not None
    await sender.start()

    async def looked() -> bool:
        return await clock.look()

    await until(looked, "the clock does not recover")
    assert {identity for _, _, identity in await said(kafka, PICK_COMMANDS, since)} == {
        str(clock_id(PICK_COMMANDS, partition, NOON // MINUTE))
        for partition in range(PICK_COMMANDS.partitions)
    }
    await sender.stop()


async def test_the_process_ticks_and_stops_when_asked(kafka: Settings, server_env: dict[str, str]) -> None:
    topics = [topic for topic in TOPICS.values() if topic.kind is Kind.COMMAND]
    since = {topic: await ends(kafka, topic) for topic in topics}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "producers.clock", cwd=REPOSITORY, env=os.environ | server_env
    )
    try:

        async def ticked() -> bool:
            return all([await said(kafka, topic, since[topic]) for topic in topics])

        await until(ticked, "no tick came")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
