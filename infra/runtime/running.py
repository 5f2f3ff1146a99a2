"""One group in one process: its connections, its intake, its effects, its housekeeping."""

import asyncio
import os
import socket
import time
from typing import Final

import structlog

from infra.process import Process
from infra.runtime import gone, inbox, ledger
from infra.runtime.connection import Connection
from infra.runtime.decider import Decider
from infra.runtime.effects import Effects
from infra.runtime.entry import Entrance
from infra.runtime.fates import Fate, fate_of
from infra.runtime.group import Group
from infra.runtime.intake import Intake
from infra.runtime.poll import Poller
from infra.runtime.prepare import Preparation
from infra.runtime.replay import Replay
from infra.settings import Settings
from infra.telemetry.errors import describe
from infra.wake import Waker

log = structlog.get_logger(__name__)

STUCK_AFTER: Final = 60.0
"""Seconds without a poll after which the process is no longer alive."""
EFFECTS_EVERY: Final = 0.5
REPLAY_EVERY: Final = 1.0
HOUSEKEEPING_EVERY: Final = 600.0
ANSWERS_EVERY: Final = 30.0


class RunningGroup:
    """A group at work. When one of its loops has `failed`, the process must end too."""

    def __init__(self, group: Group, settings: Settings, waker: Waker) -> None:
        owner = f"{socket.gethostname()}/{os.getpid()}"
        self.group = group
        self.connection = Connection(settings, group.schema, purpose=group.name)
        self.side = Connection(settings, group.schema, purpose=f"{group.name}/side")
        self.preparation = Preparation(settings, group.schema)
        self.poller = Poller(group, self.connection, self.preparation, owner)
        self.entrance = Entrance(self.poller)
        self.intake = Intake(self.poller, self.entrance, waker, settings.kafka)
        self.replay = Replay(self.poller)
        self.waker = waker
        self.effects = Effects(group, self.side, dict(group.effects))
        self._tasks: list[asyncio.Task[None]] = []
        self._started = False

    async def start(self, process: Process) -> None:
        """Start reading; the checks of `process` then tell how it goes."""
        process.alive(self.group.name, self._why_dead)
        process.ready(self.group.name, self._why_not_ready)
        await self.intake.start()
        self._started = True
        self._tasks = [
            asyncio.create_task(self.intake.keep_dashboards()),
            asyncio.create_task(self._housekeeping()),
            asyncio.create_task(self._replay()),
        ]
        if isinstance(self.group, Decider) and self.effects.functions:
            self._tasks.append(asyncio.create_task(self._effects()))
        if any(topic.sealed for topic in self.group.topics.values()):
            self._tasks.append(asyncio.create_task(self._forget_answers()))

    async def stop(self) -> None:
        """Finish the transaction at hand, then leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.intake.stop()
        await self.connection.close()
        await self.side.close()
        await self.preparation.close()

    def _why_dead(self) -> str | None:
        if not self._started:
            return None
        silent = time.monotonic() - self.intake.last_poll
        return f"no poll for {silent:.0f} s" if silent > STUCK_AFTER else self.entrance.why_dead()

    def _why_not_ready(self) -> str | None:
        if not self.intake.assigned:
            return "it has not joined its group"
        return self.entrance.reason_not_ready()

    async def _effects(self) -> None:
        while True:
            try:
                busy = await self.effects.run_due()
            except Exception as error:
                log.warning("effects_paused", group=self.group.name, error=describe(error))
                busy = 0
            if not busy:
                await asyncio.sleep(EFFECTS_EVERY)

    async def _replay(self) -> None:
        while True:
            await asyncio.sleep(REPLAY_EVERY)
            try:
                if await self.replay.run_due():
                    await self.waker.wake(self.group.name)
            except Exception as error:
                log.warning("replay_put_off", group=self.group.name, error=describe(error))

    async def _forget_answers(self) -> None:
        while True:
            await asyncio.sleep(ANSWERS_EVERY)
            try:
                async with self.side.use() as db:
                    await ledger.forget_answers(db)
            except Exception as error:
                log.warning("answers_kept_longer", group=self.group.name, error=describe(error))

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_EVERY)
            try:
                await self.tidy()
            except Exception as error:
                if fate_of(error) is Fate.DEFECT:
                    raise
                log.warning("housekeeping_put_off", group=self.group.name, error=describe(error))

    async def tidy(self) -> None:
        """Forget what nobody may need any more: gone keys, old inbox ids and decisions."""
        async with self.side.use() as db:
            await gone.forget(db)
            if isinstance(self.group, Decider):
                await inbox.prune(db, self.group.name)
                await ledger.prune(db)

    def failed(self) -> BaseException | None:
        """The error of a loop that ended, if one did."""
        ended = [task for task in self._tasks if task.done() and not task.cancelled()]
        return next((task.exception() for task in ended if task.exception()), None) or self.intake.failed()
