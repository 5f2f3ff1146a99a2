"""Reading ahead: what was read beside a transaction counts only when that transaction went well."""

import asyncio
from typing import Any

import pytest

from infra.runtime.fates import OutageError
from infra.runtime.group import Group
from infra.runtime.pauses import Pauses
from infra.runtime.running import RunningGroup
from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.stage import Stage, deciding, has, showing, until, wrapped
from tests.infra.runtime.widgets import contract

MOST = 5


class Rigged:
    """A handler of polls of five that fails once, in its third poll, when the fourth has been read."""

    def __init__(self, group: Group, kind: str) -> None:
        self.run: RunningGroup | None = None
        self.polls = 0
        wrapped(group, kind, self._handle, cost=1.0)

    async def _handle(self, function: Any, *arguments: Any) -> Any:
        self.polls += 1
        if self.polls == 3:
            assert self.run is not None
            assert self.run.intake._ahead is not None
            assert len(await asyncio.shield(self.run.intake._ahead)) == MOST
            raise OutageError("the third poll fails")
        return await function(*arguments)


async def test_nothing_is_passed_over_that_was_read_ahead_of_a_failure(stage: Stage) -> None:
    c = contract("ahead", partitions=1)
    await stage.make(c.events)
    for number in range(10 * MOST):
        await stage.send(c.Widget(key_=f"k{number}", value="v", version=1))
    group = showing(c)
    rigged = Rigged(group, "Widget")

    async with stage.running(group) as rigged.run:
        await until(has(stage, "read_widgets.widget", 10 * MOST), "all widgets are shown")

    assert rigged.polls > 10


async def test_what_was_read_ahead_of_a_failure_is_no_gap(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(Pauses, "alarm", lambda _, place, reason: alarms.append(f"{place}: {reason}"))
    c = contract("ahead", partitions=1)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(10 * MOST)
    group = deciding(c, many=True)
    rigged = Rigged(group, "Put")

    async with stage.running(group) as rigged.run:
        await load.drained()

    await load.check()
    assert not alarms
