"""A position that no longer fits to its log: the partition stops with an alarm, or jumps where it may."""

import pytest
from aiokafka import TopicPartition

from infra.runtime.running import RunningGroup
from tests.infra.runtime.kafka.stage import Stage, deciding, has, until
from tests.infra.runtime.widgets import OWNER, Contract, contract

pytestmark = pytest.mark.usefixtures("impatient")


async def stops(stage: Stage, run: RunningGroup, topic: str, why: str) -> None:
    """Wait until partition 0 stands still for that reason, and says so wherever one looks."""

    async def stopped() -> bool:
        return why in await stage.stopped(topic)

    await until(stopped, f"{topic}/0 stops: {why}")
    assert f"{topic}/0: " in (run.entrance.reason_not_ready() or "")
    assert why in (run.entrance.reason_not_ready() or "")


async def test_a_topic_made_anew_while_nobody_read_stops_the_partition(stage: Stage) -> None:
    c = contract("anew", partitions=1)
    await stage.make(c.commands)
    await decided(stage, c, 2)
    await made_anew(stage, c)
    await put(stage, c, 5)

    async with stage.running(deciding(c)) as run:
        await stops(stage, run, c.commands.name, "topic was deleted and made anew")

    assert await stage.count("decision") == 2
    assert await stage.position(c.commands.name) == 2


async def test_a_topic_made_anew_while_it_is_read_stops_the_partition(stage: Stage) -> None:
    c = contract("anew", partitions=1)
    await stage.make(c.commands)
    await put(stage, c, 3)
    async with stage.running(deciding(c)) as run:
        await until(has(stage, "decision", 3), "all are decided")
        await stage.admin.delete_topics([c.commands.name])

        async def missed() -> bool:
            return run.entrance.reason_not_ready() == f"topic {c.commands.name} does not exist"

        await until(missed, "the process says that the topic is not there")
        await stage.make(c.commands)
        await put(stage, c, 2)

        await stops(stage, run, c.commands.name, "topic was deleted and made anew")

    assert await stage.count("decision") == 3


async def test_a_position_behind_the_end_of_the_log_stops_the_partition(stage: Stage) -> None:
    c = contract("behind", partitions=1)
    await stage.make(c.commands)
    await decided(stage, c, 2)
    await stage.db.execute("UPDATE position SET next_offset = 100")

    async with stage.running(deciding(c)) as run:
        await stops(stage, run, c.commands.name, "position 100 lies behind the end of the log, 2")


async def test_records_dropped_before_they_were_read_stop_the_partition(stage: Stage) -> None:
    c = contract("dropped", partitions=1)
    await stage.make(c.commands)
    await decided(stage, c, 2)
    await put(stage, c, 5)
    await stage.drop_before(TopicPartition(c.commands.name, 0), 4)

    async with stage.running(deciding(c)) as run:
        await stops(stage, run, c.commands.name, "records 2 to 3 are gone before they were read")
        assert await stage.count("decision") == 2

        # an operator accepts the loss: nothing needs to be restarted
        await stage.db.execute("UPDATE position SET next_offset = 4")
        await until(has(stage, "decision", 5), "the rest is decided")

        async def ready() -> bool:
            return run.entrance.reason_not_ready() is None and not await stage.stopped(c.commands.name)

        await until(ready, "the alarm is over")


async def test_records_that_expired_unread_are_jumped_over_and_counted(stage: Stage) -> None:
    c = contract("expires", partitions=1, expires=True)
    await stage.make(c.commands)
    await decided(stage, c, 2)
    await put(stage, c, 5)
    await stage.drop_before(TopicPartition(c.commands.name, 0), 4)

    async with stage.running(deciding(c)) as run:
        await until(has(stage, "decision", 5), "the rest is decided")
        assert run.entrance.reason_not_ready() is None

    assert await stage.db.fetchval("SELECT skipped FROM position") == 2


async def test_records_that_expire_while_the_partition_is_paused_are_jumped_over(stage: Stage) -> None:
    c = contract("expires", partitions=1, expires=True)
    await stage.make(c.commands)
    place = TopicPartition(c.commands.name, 0)
    async with stage.running(deciding(c)) as run:
        await put(stage, c, 2)
        await until(has(stage, "decision", 2), "two are decided")
        consumer = run.intake._consumer()
        consumer.pause(place)
        await put(stage, c, 5)
        await stage.drop_before(place, 4)
        consumer.resume(place)

        await until(has(stage, "decision", 5), "the rest is decided")

    assert await stage.db.fetchval("SELECT skipped FROM position") == 2


async def decided(stage: Stage, c: Contract, commands: int) -> None:
    """Let a group decide so many commands, and leave."""
    await put(stage, c, commands)
    async with stage.running(deciding(c)):
        await until(has(stage, "decision", commands), "all are decided")


async def put(stage: Stage, c: Contract, commands: int) -> None:
    for n in range(commands):
        await stage.send(c.Put(key_="a", owner=OWNER, n=n))


async def made_anew(stage: Stage, c: Contract) -> None:
    """Delete the topic and make one of the same name."""
    await stage.admin.delete_topics([c.commands.name])

    async def gone() -> bool:
        return c.commands.name not in await stage.admin.list_topics()

    await until(gone, "the topic is deleted")
    await stage.make(c.commands)
