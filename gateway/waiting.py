"""Waiting for commands: one shared query for all who wait, every few milliseconds while there are any."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Gauge

from gateway.config import GatewaySettings
from gateway.evidence import gather
from gateway.problems import ProblemError
from gateway.reads.database import Database
from gateway.standing import Evidence, Place, Position

SHORTEST: Final = 0.005
"""Seconds between two rounds, also when woken all the time."""
LONGEST: Final = 0.015
"""Seconds beyond that to the next round when nobody wakes us."""
OUTAGE: Final = 0.2
LOOK: Final = 5.0

WAITING: Final = Gauge("pickly_waiting_requests", "Requests that wait for a command.")

log = structlog.get_logger(__name__)

Reached = Callable[[Evidence], bool]
Seen = Callable[[Mapping[Place, Position]], None]


@dataclass(eq=False, slots=True)
class _Waiting:
    command_id: UUID
    reached: Reached
    patient: bool  # goes on through an outage of the database
    result: asyncio.Future[Evidence]
    last: Evidence = field(default_factory=Evidence)


class Waiter:
    """Tells who asks what has become of commands. `run` must be running.

    `seen` is called with the positions of a look before anybody is told what follows from them.
    """

    def __init__(
        self, database: Database, limits: GatewaySettings, seen: Seen = lambda _positions: None
    ) -> None:
        self._database = database
        self._seen = seen
        self._most = limits.waiters
        self._waiting: set[_Waiting] = set()
        self._woken = asyncio.Event()
        self._stopped = False
        WAITING.set_function(lambda: len(self._waiting))

    def wake(self, _group: str = "") -> None:
        """Somebody moved something: look again soon."""
        if self._waiting:
            self._woken.set()

    async def look(self, command_id: UUID) -> Evidence:
        """The evidence as it is now; raises ProblemError when the database is away."""
        return await self.until(command_id, lambda _: True, LOOK, patient=False)

    async def until(self, command_id: UUID, reached: Reached, seconds: float, *, patient: bool) -> Evidence:
        """The first evidence with which `reached` is true, or the last one after `seconds`.

        Raises ProblemError when too many wait, and unless `patient` when the database is away.
        """
        if len(self._waiting) >= self._most:
            raise ProblemError("busy", "Too many requests are waiting for commands; try again soon.")
        waiting = _Waiting(command_id, reached, patient, asyncio.get_running_loop().create_future())
        if self._stopped:
            return waiting.last
        self._waiting.add(waiting)
        self._woken.set()
        try:
            async with asyncio.timeout(seconds):
                return await waiting.result
        except TimeoutError:
            return waiting.last
        finally:
            self._waiting.discard(waiting)

    def stop(self) -> None:
        """Let everybody go with what is known: the process is ending."""
        self._stopped = True
        for waiting in self._waiting:
            if not waiting.result.done():
                waiting.result.set_result(waiting.last)

    async def run(self) -> None:
        """Serve all who wait, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LONGEST if self._waiting else None):
                    await self._woken.wait()
            except TimeoutError:
                pass  # nobody woke us: look anyway
            self._woken.clear()
            pause = await self._round() if self._waiting else 0.0
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        """Look once for all; the seconds to rest before the next look."""
        everybody = list(self._waiting)
        try:
            evidence = await gather(self._database, {waiting.command_id for waiting in everybody})
        except ProblemError as problem:
            _tell_impatient(everybody, problem)
            return OUTAGE
        except Exception as error:
            log.exception("waiting: a look at the commands failed")
            _tell_impatient(everybody, error)
            return OUTAGE
        self._seen(evidence.positions)
        for waiting in everybody:
            waiting.last = evidence
            if not waiting.result.done() and waiting.reached(evidence):
                waiting.result.set_result(evidence)
        return SHORTEST


def _tell_impatient(everybody: list[_Waiting], error: Exception) -> None:
    for waiting in everybody:
        if not waiting.patient and not waiting.result.done():
            waiting.result.set_exception(error)
