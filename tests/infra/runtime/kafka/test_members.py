"""Members come and go: every command once, each key in order, and always some progress."""

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from infra.runtime.running import RunningGroup
from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.member import Start, Task, ended, marked
from tests.infra.runtime.kafka.stage import Stage, deciding, group_name, has, named, until
from tests.infra.runtime.kafka.wire import kafka_offsets
from tests.infra.runtime.widgets import OWNER, contract


def reads(run: RunningGroup) -> set[TopicPartition]:
    """What a member reads now."""
    return set(run.entrance.running(run.intake._consumer()))


async def test_a_second_member_joins_and_the_first_leaves(stage: Stage) -> None:
    c = contract("members", partitions=4)
    await stage.make(c.commands)
    load = Load(stage, c)
    async with load.going_on():
        first = await stage.start(deciding(c))
        await load.moved_on()
        async with stage.running(deciding(c)) as second:

            async def shared() -> bool:
                mine, its = reads(first), reads(second)
                return bool(mine and its) and len(mine | its) == 4 and not mine & its

            await until(shared, "each has partitions of its own")
            await load.moved_on()
            await stage.stop(first)

            async def taken_over() -> bool:
                return len(reads(second)) == 4

            await until(taken_over, "the second has them all")
            await load.moved_on()
            await load.finished()

    await load.check()


@pytest.mark.usefixtures("impatient")
async def test_a_partition_that_stands_still_keeps_standing_through_rebalances(stage: Stage) -> None:
    c = contract("standing", partitions=2)
    await stage.make(c.commands)
    await stage.send(c.Put(key_="a", owner=OWNER, n=1), partition=0)
    await stage.wire(c.commands.name, 0, b"a", b"{}", [("ce_type", b"Newer"), ("ce_id", str(OWNER).encode())])
    await stage.send(c.Put(key_="a", owner=OWNER, n=2), partition=0)

    async def stands() -> bool:
        return "unknown type Newer" in await stage.stopped(c.commands.name)

    async with stage.running(deciding(c)) as run:
        await until(stands, "the partition stops")
        for n in range(2):
            async with stage.running(deciding(c)) as guest:

                async def balanced(guest: RunningGroup = guest) -> bool:
                    assert await stands()
                    return len(reads(run) | reads(guest)) == 1 and guest.entrance.running is not None

                await until(balanced, "only the other partition is read")
                await stage.send(c.Put(key_="b", owner=OWNER, n=n), partition=1)
                await until(has(stage, "decision", n + 2), "that one goes on")
                assert await stands()

    assert await stage.numbers("a") == [1]


async def storm(stage: Stage, seconds: float) -> None:
    """One member stays, two come and go every two or three seconds, under load."""
    c = contract("storm", partitions=6)
    await stage.make(c.commands)
    load, chance = Load(stage, c), random.Random(3)
    guests: list[RunningGroup] = []
    end = time.monotonic() + seconds
    async with stage.running(deciding(c)), load.going_on():
        while time.monotonic() < end:
            guests.append(await stage.start(deciding(c)))
            if len(guests) > 2:
                await stage.stop(guests.pop(0))
            await asyncio.sleep(chance.uniform(2, 3))
            await load.moved_on(5)
        await asyncio.gather(*(stage.stop(guest) for guest in guests))
        await load.finished()
    await load.check()


async def test_a_storm_of_rebalances_stops_nothing_and_doubles_nothing(stage: Stage) -> None:
    await storm(stage, 8)


@pytest.mark.long
async def test_a_long_storm_of_rebalances_stops_nothing_and_doubles_nothing(stage: Stage) -> None:
    await storm(stage, 90)


async def test_a_member_that_is_told_to_stop_finishes_its_transaction(
    stage: Stage, start: Start, tmp_path: Path
) -> None:
    c = contract("graceful", partitions=1)
    await stage.make(c.commands)
    task = Task(group_name(c), 1, mark=str(tmp_path / "mark"), slow=2.0)
    process = start(task)
    await stage.send(c.Put(key_="a", owner=OWNER, value="slow", n=1))
    await marked(task)
    await stage.send(c.Put(key_="a", owner=OWNER, value="v", n=2))
    process.send_signal(signal.SIGTERM)

    assert await ended(process) == 0
    assert await stage.numbers("a") == [1]
    assert await stage.position(c.commands.name) == 1
    assert await kafka_offsets(stage, group_name(c)) == {TopicPartition(c.commands.name, 0): 1}
    again = start(Task(group_name(c), 1))

    async def second() -> bool:
        return await stage.numbers("a") == [1, 2]

    await until(second, "the next member goes on")
    again.terminate()
    assert await ended(again) == 0


async def test_a_member_can_be_stopped_while_the_group_is_rebalancing(stage: Stage) -> None:
    c = contract("stop", partitions=4)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(20)

    async with stage.running(deciding(c)):
        for _ in range(3):
            guest = await stage.start(deciding(c))
            async with asyncio.timeout(12):
                await stage.stop(guest)
        await load.drained()

    await load.check()


async def test_a_member_that_waits_for_the_broker_can_be_told_to_stop(
    stage: Stage, start: Start, tmp_path: Path
) -> None:
    name = named("nowhere", partitions=1)
    nowhere = stage.settings.model_copy(update={"kafka": "127.0.0.1:1"})
    log = tmp_path / f"{group_name(name)}.log"
    stage.settings = nowhere
    process = start(Task(group_name(name), 1))

    async def waiting() -> bool:
        return log.exists() and "waiting_for_broker" in log.read_text()

    await until(waiting, "it waits for the broker")
    process.terminate()

    assert await ended(process) == 0
