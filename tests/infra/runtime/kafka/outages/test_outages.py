"""Servers die, freeze and come back: groups wait, skip nothing, and go on without a restart."""

import asyncio

import pytest
from aiokafka import TopicPartition

from infra.local.servers import Servers
from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.stage import Stage, deciding, group_name, has, named, until
from tests.infra.runtime.widgets import OWNER, contract


async def test_the_broker_is_killed_under_load_and_comes_back(stage: Stage, whole: Servers) -> None:
    c = contract("broker", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    async with stage.running(deciding(c)) as run, load.going_on():
        await load.moved_on()
        whole.kill("kafka")
        await asyncio.to_thread(whole.restart, "kafka")
        await load.moved_on()
        await load.finished()
        assert run.failed() is None

    await load.check()


async def test_the_database_is_killed_under_load_and_comes_back(stage: Stage, whole: Servers) -> None:
    c = contract("database", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    async with stage.running(deciding(c)) as run, load.going_on():
        await load.moved_on()
        whole.kill("postgres")

        async def paused() -> bool:
            return len(run.entrance.pauses.waiting) == 3

        await until(paused, "all partitions are paused")
        await asyncio.to_thread(whole.restart, "postgres")
        await load.moved_on()
        await load.finished()
        assert run.failed() is None

    await load.check()


@pytest.mark.parametrize("server", ["kafka", "postgres"])
@pytest.mark.long
async def test_a_server_that_freezes_for_long_is_an_outage_and_no_defect(
    stage: Stage, whole: Servers, server: str
) -> None:
    await frozen(stage, whole, server, 40)


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_a_server_that_freezes_is_an_outage_and_no_defect(
    stage: Stage, whole: Servers, server: str
) -> None:
    await frozen(stage, whole, server, 4)


async def frozen(stage: Stage, servers: Servers, server: str, seconds: float) -> None:
    """Freeze a server under load; afterwards everything is as if nothing had been."""
    c = contract("frozen", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    async with stage.running(deciding(c)) as run, load.going_on():
        await load.moved_on()
        servers.pause(server)
        await asyncio.sleep(seconds)
        servers.resume(server)
        await load.moved_on()
        await load.finished()
        assert run.failed() is None

    await load.check()


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_a_group_can_be_stopped_while_a_server_is_frozen(
    stage: Stage, whole: Servers, server: str
) -> None:
    c = contract("stop", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    run = await stage.start(deciding(c))
    await load.send(20)
    await load.drained()
    whole.pause(server)
    async with asyncio.timeout(14):  # the process would end itself after 15 s
        await stage.stop(run)
    whole.resume(server)
    await load.send(5)
    async with stage.running(deciding(c)):
        await load.drained()

    await load.check()


async def test_the_silence_of_a_frozen_broker_is_no_proof_that_everything_was_seen(
    stage: Stage, whole: Servers
) -> None:
    c = contract("silence", partitions=1)
    await stage.make(c.commands)
    place = TopicPartition(c.commands.name, 0)
    async with stage.running(deciding(c)) as run:
        await stage.send(c.Put(key_="a", owner=OWNER))
        await until(has(stage, "decision", 1), "it is decided")
        whole.pause("kafka")
        await asyncio.sleep(1)  # what was on its way has arrived
        seen, polls = run.poller.seen_until[place], 0
        last = run.intake.last_poll

        async def polled() -> bool:
            nonlocal polls, last
            polls += run.intake.last_poll != last
            last = run.intake.last_poll
            return polls >= 3

        await until(polled, "some polls have come back empty")
        assert run.poller.seen_until[place] == seen
        whole.resume("kafka")

        async def later() -> bool:
            return run.poller.seen_until[place] > seen

        await until(later, "an answer is one")


@pytest.mark.long
async def test_a_database_that_is_away_for_long_costs_no_member_its_place(
    stage: Stage, whole: Servers
) -> None:
    c = contract("place", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(10)
    whole.kill("postgres")
    async with stage.running(deciding(c)) as run:
        await asyncio.sleep(15)  # the session would have ended after 6
        await asyncio.to_thread(whole.restart, "postgres")
        await load.drained()
        assert run.intake._consumer()._coordinator.generation == 1

    await load.check()


async def test_nothing_waits_for_valkey(stage: Stage, whole: Servers) -> None:
    c = contract("valkey", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    async with stage.running(deciding(c)), load.going_on():
        await load.moved_on()
        whole.pause("valkey")
        await load.moved_on(50, seconds=20)
        whole.kill("valkey")
        await load.moved_on(50, seconds=20)
        await load.finished()

    await load.check()


async def test_a_broker_that_is_away_at_the_start_is_waited_for(stage: Stage, whole: Servers) -> None:
    c = contract("start", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(10)
    whole.kill("kafka")
    starting = asyncio.create_task(stage.start(deciding(c)))
    await asyncio.sleep(3)  # it is tried in vain meanwhile
    assert not starting.done()

    await asyncio.to_thread(whole.restart, "kafka")
    run = await starting
    await load.drained()
    await stage.stop(run)

    await load.check()


async def test_a_database_that_is_away_at_the_start_is_waited_for(stage: Stage, whole: Servers) -> None:
    c = contract("start", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(10)
    whole.kill("postgres")
    async with stage.running(deciding(c)) as run:

        async def not_ready() -> bool:
            return "cannot be entered" in (run.entrance.reason_not_ready() or "")

        await until(not_ready, "the process says that it is not ready")
        await asyncio.to_thread(whole.restart, "postgres")
        await load.drained()

    await load.check()


async def test_a_topic_that_does_not_exist_yet_is_waited_for(stage: Stage, whole: Servers) -> None:
    c = named(group_name(contract("later")), partitions=2)
    starting = asyncio.create_task(stage.start(deciding(c)))
    await asyncio.sleep(1)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(10)

    run = await starting
    await load.drained()
    await stage.stop(run)

    await load.check()
