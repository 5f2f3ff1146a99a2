"""Rebuilds what stands still until it is built anew, by itself: once each time it falls behind too far.

A read model that was away for longer than tombstones are kept may show what is gone; it stops, and says so in
its position. On one machine nobody is on call, so the supervisor runs `./pickly rebuild`.
"""

import asyncio
import subprocess
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from infra.console import Console
from infra.local.errors import StackError
from infra.local.parts import Part, exit_text, launch, rotate, stop_child
from infra.local.state import Board, identify
from infra.roles import PROJECTIONS
from infra.runtime.positions import STALE
from infra.settings import Settings

NAME: Final = "rebuild"
LOOK_EVERY: Final = 5.0
STANDING: Final = "SELECT DISTINCT group_name FROM mesh.positions WHERE starts_with(stopped, $1)"


@dataclass(frozen=True)
class Care:
    """How to find what stands still, which of it can be healed, and the programs that heal one, in order."""

    look: Callable[[], Collection[str]]
    curable: Collection[str]
    cure: Callable[[str], Sequence[Part]]


def stale_groups(settings: Settings) -> list[str]:
    """The groups with a partition that stands still as stale; none while the database cannot tell."""

    async def ask() -> list[str]:
        db = await asyncpg.connect(settings.dsn("ops"), ssl=False, timeout=5, command_timeout=5)
        try:
            return [row["group_name"] for row in await db.fetch(STANDING, STALE)]
        finally:
            await db.close(timeout=5)

    try:
        return sorted(asyncio.run(ask()))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return []


def rebuilding(settings: Settings, part: Callable[[str, Sequence[str]], Part]) -> Care:
    """The care of the platform's read models; `part` makes one of a rebuild's words.

    What an earlier rebuild replaced is dropped first: one old read model is kept, and this one is younger.
    """

    def cure(group: str) -> list[Part]:
        return [part(NAME, (group, "--drop-old")), part(NAME, (group,))]

    return Care(lambda: stale_groups(settings), PROJECTIONS, cure)


class Healer(threading.Thread):
    """Looks every few seconds, and heals one after the other, each once until it has been well again."""

    def __init__(self, care: Care, board: Board, console: Console, every: float = LOOK_EVERY) -> None:
        super().__init__(name=NAME, daemon=True)
        self.busy = False
        self._care = care
        self._board = board
        self._console = console
        self._every = every
        self._seen: set[str] = set()
        self._stopping = threading.Event()
        self._launching = threading.Lock()
        self._child: tuple[subprocess.Popen[bytes], Part] | None = None

    def run(self) -> None:
        """Look, heal, again, until told to stop."""
        while not self._stopping.wait(self._every):
            ill = set(self._care.look())
            self._seen &= ill
            for group in sorted(ill - self._seen):
                self._seen.add(group)
                self._treat(group)

    def _treat(self, group: str) -> None:
        if group not in self._care.curable:
            self._console.warn(
                f"{group} stands still, and cannot be built anew: see docs/runbooks/rebuild.md"
            )
            return
        self._console.warn(f"{group} may have missed what is gone: it is built anew from the log")
        self.busy = True
        try:
            why = self._heal(group)
        finally:
            self.busy = False
        if why is None:
            self._board.set(NAME, state="done", process=None, why="")
            self._console.good(f"{group} was built anew; the one that it replaced is kept as {group}_old")
        elif not self._stopping.is_set():
            self._board.set(NAME, state="failed", process=None, why=why)
            self._console.warn(f"{why}. Try it by hand: ./pickly rebuild {group}")

    def _heal(self, group: str) -> str | None:
        """Run the programs; why one failed, or None."""
        for part in self._care.cure(group):
            rotate(part.log)
            with self._launching:
                if self._stopping.is_set():
                    return "told to stop"
                try:
                    process = launch(part)
                except StackError as error:
                    return str(error)
                self._child = process, part
                self._board.set(
                    NAME, state="running", process=identify(process.pid), why=f"{group} is built anew"
                )
            if code := process.wait():
                return f"the rebuild of {group} ended {exit_text(code)}; its log is {part.log}"
        return None

    def stop(self) -> None:
        """End what it runs, which clears up, and the thread."""
        self._stopping.set()
        with self._launching:
            child = self._child
        if child is not None and child[0].poll() is None:
            stop_child(*child)
        if self.is_alive():
            self.join()
