"""Waits until what was accepted is done and visible.

First the newest commands are asked for one by one until each is done. What was accepted before them lies
before them in the same partitions, so by then every read model has passed all. Then every account's own pages
are read: a pick that is shown is proof enough, and only for one that is not shown is its command asked.
"""

import asyncio
import time
from collections import defaultdict, deque

from rich.console import Console

from clients.movielens.accounts import Accounts
from clients.movielens.progress import Phase, phase
from clients.movielens.tally import Tally
from clients.movielens.together import each
from clients.python import CommandNotDoneError, Invalid, NotFound, Pickly, Problem

NEWEST = 2000
AT_ONCE = 32
ASKED_PER_ACCOUNT = 50
PAUSE = 1.0


async def refs_shown(pickly: Pickly, handle: str) -> set[str]:
    """The refs of all picks on an account's pages; none when the account is not known yet."""
    try:
        return {str(pick.thing.ref) async for pick in pickly.account_picks(f"@{handle}")}
    except NotFound:
        return set()


class Confirmation:
    """Gathers what was accepted, then waits for it and puts what does not come into the tally."""

    def __init__(self, accounts: Accounts, console: Console, tally: Tally) -> None:
        self._accounts = accounts
        self._console = console
        self._tally = tally
        self._newest: deque[tuple[str, str]] = deque(maxlen=NEWEST)
        self._open: dict[str, dict[str, str]] = defaultdict(dict)
        self._fates: dict[str, str] = {}

    def expect(self, handle: str, ref: str, location: str) -> None:
        """Remember an accepted pick and where the fate of its command can be read."""
        self._newest.append((handle, location))
        self._open[handle][ref] = location

    async def run(self, patience: float) -> None:
        """Wait up to `patience` seconds for all; what is refused or stays away then is in the tally."""
        give_up = time.monotonic() + patience
        with phase(self._console, "Waiting for the newest", len(self._newest)) as waiting:
            await each(list(self._newest), lambda sent: self._wait(*sent, give_up, waiting), AT_ONCE)
        await self._sweep()
        while self._open and time.monotonic() < give_up:
            await asyncio.sleep(PAUSE)
            await self._sweep()
        for handle, refs in self._open.items():
            self._tally.invisible += [
                f"{handle} {ref}: {self._fates.get(at, '?')}" for ref, at in refs.items()
            ]

    async def _wait(self, handle: str, location: str, give_up: float, waiting: Phase) -> None:
        try:
            left = max(0.0, give_up - time.monotonic())
            await self._accounts.of(handle).wait_until_done(location, within=left)
        except CommandNotDoneError as error:
            # One refused because the pick is there already is no fault: the sweep looks and decides.
            if error.command.status in ("pending", "delayed"):
                self._tally.invisible.append(f"{handle} {location}: {error}")
        except Invalid as problem:
            self._tally.refused.append(f"{handle} {location}: {problem}")
        waiting.advance()

    async def _sweep(self) -> None:
        with phase(self._console, "Confirming, by account", len(self._open)) as confirming:

            async def look(handle: str) -> None:
                await self._look(handle)
                confirming.advance()

            await each(list(self._open), look, AT_ONCE)

    async def _look(self, handle: str) -> None:
        refs = self._open[handle]
        for ref in await refs_shown(self._accounts.of(handle), handle):
            refs.pop(ref, None)
        for ref, location in list(refs.items())[:ASKED_PER_ACCOUNT]:
            if refusal := await self._refusal(handle, location):
                self._tally.refused.append(f"{handle} {ref}: {refusal}")
                del refs[ref]
        if not refs:
            del self._open[handle]

    async def _refusal(self, handle: str, location: str) -> str | None:
        try:
            command = await self._accounts.of(handle).command(location)
        except Problem as problem:
            return str(problem)
        self._fates[location] = f"its command is {command.status}, but the account's page does not show it"
        return f"{command.status}: {command.reason}" if command.status in ("refused", "failed") else None
