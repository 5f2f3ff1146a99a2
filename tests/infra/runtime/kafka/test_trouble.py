"""Trouble in one partition: an outage, a poison, a circuit that opens. The others go on."""

from typing import Any

import pytest

from infra.runtime.fates import OutageError
from infra.runtime.poll import ATTEMPTS
from infra.runtime.running import RunningGroup
from tests.infra.runtime.kafka.stage import Stage, deciding, has, until, wrapped
from tests.infra.runtime.widgets import OWNER, Contract, contract

pytestmark = pytest.mark.usefixtures("impatient")


async def put(stage: Stage, c: Contract, key: str, *values: str, partition: int) -> None:
    """Commands with rising numbers."""
    for n, value in enumerate(values):
        await stage.send(c.Put(key_=key, owner=OWNER, value=value, n=n), partition=partition)


async def test_an_outage_of_one_handler_holds_up_no_other_partition_and_loses_no_order(stage: Stage) -> None:
    c = contract("outage", partitions=2)
    await stage.make(c.commands)
    group, away, tries = deciding(c), True, 0

    async def flaky(function: Any, message: Any, *rest: Any) -> Any:
        nonlocal tries
        if away and message.key_ == "a":
            tries += 1
            raise OutageError("storage is away")
        return await function(message, *rest)

    wrapped(group, "Put", flaky)
    async with stage.running(group):
        await put(stage, c, "a", "1", "2", "3", partition=0)
        for _ in range(ATTEMPTS + 1):
            before = tries

            async def tried() -> bool:
                return tries > before  # noqa: B023  # awaited within the round

            await until(tried, "it is tried again and again")
            await put(stage, c, "b", "1", partition=1)
        await until(has(stage, "decision", ATTEMPTS + 1), "the other partition goes on")
        assert await stage.count("dead_letter") == 0
        away = False

        await until(has(stage, "decision", ATTEMPTS + 4), "everything is decided")

    assert await stage.numbers("a") == [0, 1, 2]


async def test_a_poison_at_the_head_delays_no_other_partition_and_parks_only_its_key(stage: Stage) -> None:
    c = contract("poison", partitions=2)
    await stage.make(c.commands)
    await put(stage, c, "a", "poison", "2", partition=0)
    await put(stage, c, "b", "1", "2", partition=0)
    await put(stage, c, "other", *("v" for _ in range(20)), partition=1)

    async with stage.running(deciding(c)):
        await until(has(stage, "decision WHERE resource = 'widgets/other'", 20), "the other is decided")
        assert await stage.count("dead_letter") == 0  # the poison is still being tried: nobody waited for it
        await until(has(stage, "decision", 24), "the rest is decided")
        await put(stage, c, "a", "3", partition=0)
        await until(has(stage, "decision WHERE status = 'parked'", 3), "the key is parked")

    assert await stage.numbers("b") == [0, 1]
    assert await stage.numbers("a") == []
    rows = await stage.db.fetch("SELECT attempts, parked FROM dead_letter ORDER BY record_offset")
    assert [tuple(row) for row in rows] == [(ATTEMPTS, False), (1, True), (1, True)]


async def test_an_open_circuit_outlives_a_restart_and_closes_with_its_letters(stage: Stage) -> None:
    c = contract("circuit", partitions=2)
    await stage.make(c.commands)
    for n in range(20):
        await stage.wire(c.commands.name, 0, f"k{n}".encode(), b"no command")

    async with stage.running(deciding(c)) as run:
        await until(lambda: stopped(stage, run, c), "the circuit opens")
        await put(stage, c, "a", "1", partition=0)
        await put(stage, c, "b", "1", partition=1)
        await until(has(stage, "decision", 1), "the other partition goes on")

    async with stage.running(deciding(c)) as run:
        await until(lambda: stopped(stage, run, c), "the next owner stops too")
        assert await stage.numbers("a") == []
        await stage.db.execute("UPDATE dead_letter SET state = 'dropped', closed_at = now()")

        await until(has(stage, "decision", 2), "it goes on")

        async def ready() -> bool:
            return run.entrance.reason_not_ready() is None and not await stage.stopped(c.commands.name)

        await until(ready, "the alarm is over")
    assert await stage.numbers("a") == [0]


async def stopped(stage: Stage, run: RunningGroup, c: Contract) -> bool:
    reason = await stage.stopped(c.commands.name)
    return reason.startswith("circuit open") and reason in (run.entrance.reason_not_ready() or "")
