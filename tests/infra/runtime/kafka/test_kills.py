"""SIGKILL at any moment: what a dead member began is undone or done, never lost, never done twice."""

import asyncio
import random
import signal

import pytest

from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.member import Start, Task, ended
from tests.infra.runtime.kafka.points import POINTS
from tests.infra.runtime.kafka.stage import Stage, group_name, named
from tests.infra.runtime.widgets import contract


async def die_and_go_on(stage: Stage, start: Start, point: str) -> None:
    """Let a member die at a point in the middle of its work, and another one go on."""
    name = contract(point).commands.name.removesuffix(".commands")
    c = named(name, partitions=2)
    await stage.make(c.commands)
    load = Load(stage, c, keys=tuple(f"{point}-{n}" for n in range(6)), every=0.05)
    await load.send(20)

    first = start(Task(name, 2, die_at=point, passing=2))
    async with load.going_on():
        assert await ended(first) == -signal.SIGKILL
        second = start(Task(name, 2))
        await load.moved_on()
    await load.drained()
    second.terminate()

    assert await ended(second) == 0
    await load.check()


AROUND_THE_COMMIT = ("fenced", "written", "uncommitted", "committed", "told")


async def test_a_member_may_die_at_any_step_around_its_commit(stage: Stage, start: Start) -> None:
    await asyncio.gather(*(die_and_go_on(stage, start, point) for point in AROUND_THE_COMMIT))


@pytest.mark.long
async def test_a_member_may_die_at_any_step(stage: Stage, start: Start) -> None:
    await asyncio.gather(*(die_and_go_on(stage, start, point) for point in POINTS))


async def kill_under_load(stage: Stage, start: Start, kills: int, chance: random.Random) -> Load:
    """Two members; one after the other is killed at a random moment and replaced."""
    c = contract("kills", partitions=4)
    name = group_name(c)
    await stage.make(c.commands)
    task = Task(name, 4)
    load = Load(stage, c)
    async with load.going_on():
        members = [start(task), start(task)]
        for number in range(kills):
            await load.moved_on()
            await asyncio.sleep(chance.uniform(0, 1))
            members[number % 2].kill()
            members[number % 2] = start(task)
        await load.moved_on()
    return load


async def test_members_killed_under_load_lose_and_double_nothing(stage: Stage, start: Start) -> None:
    load = await kill_under_load(stage, start, 2, random.Random(1))
    await load.drained()
    await load.check()


@pytest.mark.long
async def test_many_kills_under_load_lose_and_double_nothing(stage: Stage, start: Start) -> None:
    load = await kill_under_load(stage, start, 20, random.Random(2))
    await load.drained()
    await load.check()
