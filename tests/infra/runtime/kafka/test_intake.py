"""The loop itself: it never dies silently, never holds up a rebalance, and none confuses it."""

import asyncio
from typing import Any

import pytest

from consumers import __main__ as program
from infra.process import Process
from infra.runtime import entry
from infra.runtime.intake import ReadingEndedError, most_records
from infra.runtime.running import RunningGroup
from infra.wake import Waker
from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.stage import Stage, deciding, has, until, wrapped
from tests.infra.runtime.widgets import OWNER, contract

pytestmark = pytest.mark.usefixtures("impatient")


def loop_of(run: RunningGroup) -> "asyncio.Task[None]":
    task: asyncio.Task[None] = run.intake._subscriber.tasks[0]
    return task


def coordination_of(run: RunningGroup) -> "asyncio.Task[None]":
    task: asyncio.Task[None] = run.intake._consumer()._coordinator._coordination_task
    return task


def fetcher_of(run: RunningGroup) -> "asyncio.Task[None]":
    task: asyncio.Task[None] = run.intake._consumer()._fetcher._fetch_task
    return task


@pytest.mark.parametrize("inside", [loop_of, coordination_of, fetcher_of])
async def test_a_task_inside_the_libraries_that_ends_is_a_failure_of_the_group(
    stage: Stage, inside: Any
) -> None:
    c = contract("dead", partitions=1)
    await stage.make(c.commands)
    async with stage.running(deciding(c)) as run:
        await stage.send(c.Put(key_="a", owner=OWNER))
        await until(has(stage, "decision", 1), "it works")
        assert run.failed() is None

        inside(run).cancel()

        async def failed() -> bool:
            return isinstance(run.failed(), ReadingEndedError)

        await until(failed, "the group says so")


async def test_fetches_that_do_not_come_back_from_a_broker_that_answers_make_the_process_dead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = contract("stuck", partitions=2)
    await stage.make(c.commands)
    waker, process = Waker(stage.settings), Process()
    run = RunningGroup(deciding(c), stage.settings, waker)
    await run.start(process)
    await stage.send(c.Put(key_="a", owner=OWNER))
    await until(has(stage, "decision", 1), "it works")
    monkeypatch.setattr(entry, "SILENT_COMPARISONS", 3)
    idle: tuple[Any, ...] = ([], {}, 0.2, False, [])
    with monkeypatch.context() as patch:
        patch.setattr(run.intake._consumer()._fetcher, "_get_actions_per_node", lambda _: idle)

        async def dead() -> bool:
            return "fetches do not come back" in process.why_not_alive().get(run.group.name, "")

        await until(dead, "the process says that it is stuck")

    async def alive() -> bool:
        return not process.why_not_alive()

    await until(alive, "it is well again when fetches come back")
    await run.stop()
    await waker.close()


async def test_a_group_whose_loop_died_ends_the_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = contract("dead", partitions=1)
    await stage.make(c.commands)
    group = deciding(c)
    monkeypatch.setattr(program, "ALL", {group.name: group})
    monkeypatch.setattr(program, "settings", lambda: stage.settings)
    runs: list[RunningGroup] = []

    class Watched(RunningGroup):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            runs.append(self)

    monkeypatch.setattr(program, "RunningGroup", Watched)
    working = asyncio.create_task(program.work(Process(), [group.name]))
    await stage.send(c.Put(key_="a", owner=OWNER))
    await until(has(stage, "decision", 1), "it works")

    loop_of(runs[0]).cancel()

    with pytest.raises(ReadingEndedError):
        await asyncio.wait_for(working, 30)


async def test_one_group_that_cannot_start_ends_the_process_and_the_others_leave(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = contract("beside", partitions=1)
    await stage.make(c.commands)
    well, ill = deciding(c), deciding(contract("ill"))

    class Failing(RunningGroup):
        async def start(self, process: Process) -> None:
            if self.group is ill:
                raise LookupError("it cannot start")
            await super().start(process)

    monkeypatch.setattr(program, "ALL", {"well": well, "ill": ill})
    monkeypatch.setattr(program, "settings", lambda: stage.settings)
    monkeypatch.setattr(program, "RunningGroup", Failing)

    with pytest.raises(LookupError):
        await asyncio.wait_for(program.work(Process(), ["well", "ill"]), 30)


async def test_an_error_in_the_runtime_itself_pauses_and_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = contract("bug", partitions=3)
    await stage.make(c.commands)
    load = Load(stage, c, every=0.3)
    async with stage.running(deciding(c)) as run, load.going_on():
        await load.moved_on(3)
        for owner, name in (
            (run.poller, "apply"),
            (run.entrance, "note_positions"),
            (run.entrance, "keep_up"),
        ):
            broken = asyncio.Event()

            async def fail(*arguments: Any, broken: asyncio.Event = broken) -> None:
                broken.set()
                raise LookupError("a defect of the runtime")

            with monkeypatch.context() as patch:
                patch.setattr(owner, name, fail)
                await asyncio.wait_for(broken.wait(), 30)
            await load.moved_on(3)
        await load.finished()
        assert run.failed() is None

    await load.check()


async def test_a_rebalance_in_the_middle_of_a_transaction_neither_waits_for_it_nor_confuses_it(
    stage: Stage,
) -> None:
    c = contract("middle", partitions=2)
    await stage.make(c.commands)
    group, inside, go_on = deciding(c), asyncio.Event(), asyncio.Event()

    async def slow(function: Any, message: Any, *rest: Any) -> Any:
        if message.value == "slow":
            inside.set()
            await go_on.wait()
        return await function(message, *rest)

    wrapped(group, "Put", slow)
    async with stage.running(group) as run:
        for n, value in enumerate(("v", "slow", "v")):
            await stage.send(c.Put(key_="a", owner=OWNER, value=value, n=n), partition=0)
        await inside.wait()
        async with stage.running(deciding(c)) as guest:

            async def joined() -> bool:
                mine, its = (each.intake._consumer().assignment() for each in (run, guest))
                return bool(mine and its) and not mine & its

            await until(joined, "the group is balanced while the transaction is open")

        async def alone_again() -> bool:
            return len(run.intake._consumer().assignment()) == 2

        await until(alone_again, "the first has all partitions again")
        go_on.set()
        await until(has(stage, "decision", 3), "all is decided")
        await stage.send(c.Put(key_="b", owner=OWNER), partition=1)
        await until(has(stage, "decision", 4), "it goes on")
        assert not run.entrance.pauses.standing

    assert await stage.numbers("a") == [0, 1, 2]


def test_a_poll_holds_no_more_than_its_declared_cost() -> None:
    group = deciding(contract("cost"))
    assert most_records(group) == 500

    async def same(function: Any, *arguments: Any) -> Any:
        return await function(*arguments)

    wrapped(group, "Put", same, cost=0.5)
    assert most_records(group) == 10
    wrapped(group, "Put", same, cost=60.0)
    assert most_records(group) == 1


async def test_a_process_is_ready_once_its_group_has_joined(stage: Stage) -> None:
    c = contract("ready", partitions=1)
    await stage.make(c.commands)
    process, waker = Process(), Waker(stage.settings)
    run = RunningGroup(deciding(c), stage.settings, waker)
    starting = asyncio.create_task(run.start(process))
    await asyncio.sleep(0)
    assert process.why_not_ready() == {run.group.name: "it has not joined its group"}
    await starting

    async def ready() -> bool:
        return not process.why_not_ready()

    await until(ready, "it is ready")
    await run.stop()
    await waker.close()
