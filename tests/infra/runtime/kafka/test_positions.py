"""Positions follow the log: past commit markers and heartbeats, never too old, and Kafka is told of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from infra.runtime.fates import OutageError
from infra.runtime.running import RunningGroup
from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.stage import Stage, deciding, group_name, has, showing, until
from tests.infra.runtime.kafka.wire import kafka_offsets
from tests.infra.runtime.widgets import Contract, Tape, contract

FOUR_DAYS = timedelta(days=4)


async def transaction(stage: Stage, *messages: Any, abort: bool = False) -> None:
    """Write messages to partition 0 as the relay does, in one transaction."""
    relay = AIOKafkaProducer(bootstrap_servers=stage.settings.kafka, transactional_id=f"t-{uuid4()}")
    async with relay:
        with suppress(OutageError):
            async with relay.transaction():
                for message in messages:
                    record = Tape.of(message.topic).add(message, partition=0)
                    await relay.send(
                        record.topic,
                        record.value,
                        key=record.key,
                        headers=list(record.headers),
                        partition=0,
                    )
                if abort:
                    await relay.flush()
                    raise OutageError("the relay gives up")


def at(stage: Stage, topic: str, offset: int) -> Callable[[], Awaitable[bool]]:
    """The condition that the projection's position on partition 0 is there."""

    async def condition() -> bool:
        return await stage.position(topic, schema="read_widgets") == offset

    return condition


async def test_a_position_reaches_the_end_past_markers_and_aborted_records(stage: Stage) -> None:
    c = contract("markers", partitions=1)
    await stage.make(c.events)
    place = TopicPartition(c.events.name, 0)
    async with stage.running(showing(c)):
        await transaction(stage, widget(c, "a", 1), widget(c, "b", 1))
        await transaction(stage, widget(c, "a", 2), widget(c, "c", 1), abort=True)

        async with AIOKafkaConsumer(
            bootstrap_servers=stage.settings.kafka, isolation_level="read_committed"
        ) as consumer:
            end = (await consumer.end_offsets([place]))[place]
        await until(at(stage, c.events.name, end), "the position reaches the end")

    assert end == 6
    rows = await stage.db.fetch("SELECT key, version FROM read_widgets.widget ORDER BY key")
    assert [tuple(row) for row in rows] == [("a", 1), ("b", 1)]


def widget(c: Contract, key: str, version: int) -> Any:
    return c.Widget(key_=key, value="v", version=version)


HEARTBEAT = [("ce_type", b"Heartbeat"), ("ce_id", str(uuid4()).encode()), ("ce_specversion", b"1.0")]


async def test_a_heartbeat_moves_the_position_and_reaches_no_handler(stage: Stage) -> None:
    c = contract("heartbeat", partitions=1)
    await stage.make(c.events)
    async with stage.running(showing(c)):
        await stage.send(widget(c, "a", 1), partition=0)
        await until(at(stage, c.events.name, 1), "the widget is shown")
        await stage.db.execute("UPDATE read_widgets.position SET applied_at = applied_at - interval '3 days'")
        await stage.wire(c.events.name, 0, b"tick/0", b"{}", HEARTBEAT)
        await until(at(stage, c.events.name, 2), "the position moves")

    assert await stage.count("read_widgets.dead_letter") == 0
    assert await stage.count("read_widgets.widget") == 1
    age = await stage.db.fetchval("SELECT now() - applied_at FROM read_widgets.position")
    assert age < timedelta(days=1)


async def seen(stage: Stage, c: Contract) -> None:
    """Let a projection show one widget, and leave; what it has seen is then four days old."""
    await stage.send(widget(c, "a", 1), partition=0)
    async with stage.running(showing(c)):
        await until(has(stage, "read_widgets.widget", 1), "the widget is shown")
    await stage.db.execute(
        "UPDATE read_widgets.position SET applied_at = applied_at - $1::interval", FOUR_DAYS
    )


async def stale(stage: Stage, run: RunningGroup, c: Contract) -> None:
    async def stopped() -> bool:
        return (await stage.stopped(c.events.name, schema="read_widgets")).startswith("stale")

    await until(stopped, "the partition stops")
    assert "stale" in (run.entrance.reason_not_ready() or "")


async def test_a_reader_that_was_away_too_long_stops_when_it_comes_back(stage: Stage) -> None:
    c = contract("stale", partitions=1)
    await stage.make(c.events)
    await seen(stage, c)
    await transaction(stage, widget(c, "b", 1), abort=True)  # a hole, as compaction leaves one
    await stage.send(widget(c, "a", 2), partition=0)

    async with stage.running(showing(c)) as run:
        await stale(stage, run, c)

    assert await stage.position(c.events.name, schema="read_widgets") == 1


async def test_a_reader_that_was_away_too_long_passes_no_hole_in_silence(stage: Stage) -> None:
    c = contract("hole", partitions=1)
    await stage.make(c.events)
    await seen(stage, c)
    await transaction(stage, widget(c, "b", 1), abort=True)

    async with stage.running(showing(c)) as run:
        await stale(stage, run, c)

    assert await stage.position(c.events.name, schema="read_widgets") == 1


async def test_a_reader_that_was_away_long_goes_on_where_the_log_goes_on_without_a_hole(stage: Stage) -> None:
    c = contract("laptop", partitions=1)
    await stage.make(c.events)
    await seen(stage, c)
    await stage.send(widget(c, "a", 2), partition=0)

    async with stage.running(showing(c)):
        await until(at(stage, c.events.name, 2), "it goes on")


async def test_a_reader_that_was_away_long_but_missed_nothing_goes_on(stage: Stage) -> None:
    c = contract("fresh", partitions=1)
    await stage.make(c.events)
    await seen(stage, c)

    async with stage.running(showing(c)) as run:
        await until(lambda: entered(run), "the partition is entered")
        await stage.send(widget(c, "a", 2), partition=0)
        await until(at(stage, c.events.name, 2), "it goes on")


async def entered(run: RunningGroup) -> bool:
    return bool(run.entrance.running(run.intake._consumer()))


async def test_a_reader_that_sleeps_too_long_while_it_runs_stops(stage: Stage) -> None:
    c = contract("asleep", partitions=1)
    await stage.make(c.events)
    async with stage.running(showing(c)) as run:
        await stage.send(widget(c, "a", 1), partition=0)
        await until(at(stage, c.events.name, 1), "the widget is shown")

        run.poller.now = lambda: datetime.now(UTC) + FOUR_DAYS
        await stage.send(widget(c, "a", 2), partition=0)

        await stale(stage, run, c)
    assert await stage.position(c.events.name, schema="read_widgets") == 1


async def test_kafka_is_told_the_positions_soon_but_at_most_once_a_second(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = contract("dashboards", partitions=2)
    await stage.make(c.commands)
    load, told = Load(stage, c), []
    commit = AIOKafkaConsumer.commit

    async def counted(consumer: AIOKafkaConsumer, offsets: Any) -> None:
        told.append(time.monotonic())
        await commit(consumer, offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", counted)
    async with stage.running(deciding(c)), load.going_on():
        await asyncio.sleep(3)
        await load.finished()

        async def all_told() -> bool:
            known = await kafka_offsets(stage, group_name(c))
            rows = await stage.db.fetch("SELECT topic, partition, next_offset FROM position")
            ours = {TopicPartition(row[0], row[1]): row[2] for row in rows}
            return bool(ours) and known == ours

        await until(all_told, "Kafka knows the positions")
        pauses = [later - sooner for sooner, later in pairwise(told)]

    assert pauses
    assert min(pauses) >= 1.0
