"""Points of the runtime's sequence at which a process can die, or another can come in between."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from asyncpg.transaction import Transaction

from infra.runtime import inbox, ledger, letters, marked, poll, positions
from infra.runtime.fates import Fate, StaleOwnerError, fate_of
from tests.infra.runtime.machine.contract import BLOT, BUG


class CrashError(BaseException):
    """The process is gone; nothing after it runs. Not an Exception, so that nobody handles it."""


STEPS: Final[dict[str, tuple[Any, str]]] = {
    "fence": (positions, "fence"),
    "inbox": (inbox, "admit"),
    "ledger": (ledger, "write"),
    "letters": (letters, "insert"),
    "close": (marked, "close"),
    "commit": (Transaction, "__aexit__"),
}


class Faults:
    """At most one is armed: what happens at the n-th point that is reached."""

    def __init__(self) -> None:
        self._left = 0
        self._then: Callable[[str], Awaitable[None]] = crash
        self.defects: list[BaseException] = []

    def arm(self, steps: int, then: Callable[[str], Awaitable[None]]) -> None:
        """Let `then` happen, which is told the point."""
        self._left, self._then = steps, then

    def disarm(self) -> None:
        """Nothing happens."""
        self._left = 0

    async def reach(self, point: str) -> None:
        """The process has come to a point."""
        self._left -= 1
        if self._left == 0:
            await self._then(point)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lead the runtime past the points."""
        for step, (owner, name) in STEPS.items():
            monkeypatch.setattr(owner, name, self._passing(step, getattr(owner, name)))
        monkeypatch.setattr(poll, "fate_of", self._fate_of)

    def _fate_of(self, error: BaseException) -> Fate:
        """Take note of failures of the runtime itself, which it would hide by repeating the poll in parts."""
        fate = fate_of(error)
        planted = isinstance(error, KeyError) and error.args[0] in (BUG, BLOT)
        if fate in (Fate.DEFECT, Fate.LESS) and not planted and not isinstance(error, StaleOwnerError):
            self.defects.append(error)
        return fate

    def _passing(self, step: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def passing(*arguments: Any, **named: Any) -> Any:
            if step == "commit" and arguments[1] is not None:
                return await function(*arguments, **named)  # it rolls back
            await self.reach(f"before {step}")
            result = await function(*arguments, **named)
            await self.reach(f"after {step}")
            return result

        return passing


async def crash(point: str) -> None:
    """The process dies."""
    raise CrashError(point)
