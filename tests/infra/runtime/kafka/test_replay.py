"""A group at work replays what ops marks, also while its circuit is open, and commands keep their order."""

from typing import Any

import pytest

from infra.runtime import Decider
from infra.runtime.letters import SHARE
from tests.infra.runtime.kafka.stage import Stage, deciding, has, until, wrapped
from tests.infra.runtime.widgets import OWNER, Contract, contract

pytestmark = pytest.mark.usefixtures("impatient")

MARK = "UPDATE dead_letter SET state = 'replay' WHERE closed_at IS NULL"


def buggy(c: Contract) -> Decider:
    """It dies of commands whose value is `bug`."""
    group = deciding(c)

    async def around(inner: Any, message: Any, *rest: Any) -> Any:
        if message.value == "bug":
            raise KeyError(message.value)
        return await inner(message, *rest)

    wrapped(group, "Put", around)
    return group


async def put(stage: Stage, c: Contract, key: str, n: int, value: str = "v", partition: int = 0) -> None:
    await stage.send(c.Put(key_=key, owner=OWNER, value=value, n=n), partition=partition)


async def test_a_planted_bug_is_mended_replayed_and_whole_again(stage: Stage) -> None:
    c = contract("mend", partitions=2)
    await stage.make(c.commands)
    for n in range(6):
        await put(stage, c, f"k{n % 2}", n, "bug" if n == 2 else "v", partition=n % 2)

    async with stage.running(buggy(c)):
        await until(has(stage, "dead_letter", 2), "the bug sets aside one and parks another")

    async with stage.running(deciding(c)):
        await put(stage, c, "k0", 6)
        await until(has(stage, "dead_letter", 3), "the key is still parked")
        await stage.db.execute(MARK)
        await until(has(stage, "dead_letter WHERE closed_at IS NULL", 0), "all letters are closed")
        await put(stage, c, "k0", 8)
        await until(has(stage, "decision WHERE status = 'decided'", 8), "the key is parked no more")

    assert await stage.numbers("k0") == [0, 2, 4, 6, 8]
    assert await stage.numbers("k1") == [1, 3, 5]
    assert await stage.count("inbox") == 8
    assert await stage.count("outbox") == 8


async def test_an_open_circuit_stands_in_the_way_of_no_replay(stage: Stage) -> None:
    c = contract("open", partitions=1)
    await stage.make(c.commands)
    for n in range(20):
        await put(stage, c, f"k{n}", n, "bug")
    await put(stage, c, "k0", 20)

    async with stage.running(buggy(c)):

        async def stopped() -> bool:
            return (await stage.stopped(c.commands.name)).startswith("circuit open")

        await until(stopped, "the circuit opens")

    async with stage.running(deciding(c)):
        await until(stopped, "it is still open")
        await stage.db.execute(MARK)
        await until(has(stage, "decision WHERE status = 'decided'", 21), "everything is decided")

        async def goes_on() -> bool:
            return not await stage.stopped(c.commands.name)

        await until(goes_on, "the alarm is over")

    assert await stage.numbers("k0") == [0, 20]
    assert await stage.count("dead_letter WHERE state = 'closed'") == SHARE + 1


async def test_two_members_replay_each_letter_once_while_commands_come_in(stage: Stage) -> None:
    c = contract("two", partitions=2)
    await stage.make(c.commands)
    async with stage.running(buggy(c)):
        for n in range(8):
            await put(stage, c, f"k{n % 4}", n, "bug" if n < 4 else "v", partition=n % 2)
        await until(has(stage, "dead_letter", 8), "four keys are parked")

    async with stage.running(deciding(c)):
        await stage.db.execute(MARK)
        async with stage.running(deciding(c)):
            for n in range(8, 40):
                await put(stage, c, f"k{n % 4}", n, partition=n % 2)

            async def done() -> bool:
                await stage.db.execute(MARK)
                return await stage.count("decision WHERE status = 'decided'") == 40

            await until(done, "everything is decided")

    for key in range(4):
        assert await stage.numbers(f"k{key}") == list(range(key, 40, 4))
    assert await stage.count("outbox") == 40
