"""Publishes ratings as picks over HTTP, each once however often it runs, and waits until all are visible."""

import time

from rich.console import Console

from clients.movielens.accounts import Accounts
from clients.movielens.confirm import Confirmation, refs_shown
from clients.movielens.progress import Phase, phase
from clients.movielens.ratings import Rating
from clients.movielens.tally import Tally
from clients.movielens.together import each
from clients.python import Problem, TooManyRequests, Unauthorized, Unavailable

AT_ONCE = 64
READERS = 16
MOST_REFUSALS = 100


class TooManyRefusalsError(Exception):
    """So much is refused that more of the same will not mend it."""


class Seed:
    """One run over `ratings` with up to `at_once` requests in flight; `tally` is true at every moment."""

    def __init__(
        self, ratings: list[Rating], accounts: Accounts, console: Console, *, at_once: int = AT_ONCE
    ) -> None:
        self.tally = Tally()
        self._ratings = ratings
        self._accounts = accounts
        self._console = console
        self._at_once = at_once
        self._confirmation = Confirmation(accounts, console, self.tally)

    async def run(self, patience: float = 600.0) -> Tally:
        """Ask what is there, send the rest, wait up to `patience` seconds until all of it is visible.

        Raises UnreachableError, Unavailable or TooManyRequests when the gateway stays away for longer than
        the client's policy, Unauthorized when it does not take the tokens, TooManyRefusalsError.
        """
        there = await self._look()
        missing = [rating for rating in self._ratings if rating.ref not in there[rating.handle]]
        self.tally.there = len(self._ratings) - len(missing)
        began = time.monotonic()
        with phase(self._console, "Publishing", len(missing)) as sending:

            async def send(rating: Rating) -> None:
                await self._send(rating, sending)
                self.tally.seconds = time.monotonic() - began

            await each(missing, send, self._at_once)
        await self._confirmation.run(patience)
        return self.tally

    async def _look(self) -> dict[str, set[str]]:
        there: dict[str, set[str]] = {rating.handle: set() for rating in self._ratings}
        with phase(self._console, "Looking at what is there", len(there)) as looking:

            async def look(handle: str) -> None:
                there[handle] = await refs_shown(self._accounts.of(handle), handle)
                looking.advance()

            await each(list(there), look, READERS)
        return there

    async def _send(self, rating: Rating, sending: Phase) -> None:
        try:
            written = await self._accounts.of(rating.handle).publish(rating.pick(), key=rating.key)
        except (TooManyRequests, Unauthorized, Unavailable):
            raise
        except Problem as problem:
            self._refuse(rating, problem)
        else:
            self._confirmation.expect(rating.handle, rating.ref, written.location)
            self.tally.accepted += 1
            self.tally.repeated += written.attempts > 1
            self.tally.retried += written.attempts - 1
            sending.note = f"{self.tally.retried:,} retried" if self.tally.retried else ""
        sending.advance()

    def _refuse(self, rating: Rating, problem: Problem) -> None:
        self.tally.refused.append(f"{rating.handle} {rating.ref}: {problem}")
        if len(self.tally.refused) > MOST_REFUSALS:
            raise TooManyRefusalsError(f"more than {MOST_REFUSALS} refused, the last with: {problem}")
