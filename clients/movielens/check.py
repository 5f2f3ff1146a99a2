"""Compares every page over HTTP with what the file says, and counts the differences."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from rich.console import Console

from clients.movielens.compare import (
    Difference,
    differing,
    order_differences,
    pick_differences,
    set_differences,
    thing_differences,
)
from clients.movielens.facts import Facts
from clients.movielens.progress import Phase, phase
from clients.movielens.together import each
from clients.python import NotFound, Pick, Pickly

AT_ONCE = 16
OTHER_PAGE = 37
"""A second page size, so that pages end between other picks: only a stable order gives the same list."""


@dataclass
class Report:
    """What was compared and what differed; `others` are picks in the feed that are not of this data set."""

    things: int = 0
    accounts: int = 0
    feed: int = 0
    others: int = 0
    differences: list[Difference] = field(default_factory=list)

    def __str__(self) -> str:
        others = f" (and {self.others} picks that are not of this data set)" if self.others else ""
        return (
            f"{len(self.differences)} differences over {self.things} things, {self.accounts} accounts, "
            f"{self.feed} picks in the feed{others}"
        )


class Check:
    """One comparison of the platform behind `pickly` with `facts`."""

    def __init__(self, facts: Facts, pickly: Pickly, console: Console, *, at_once: int = AT_ONCE) -> None:
        self.report = Report()
        self._facts = facts
        self._pickly = pickly
        self._console = console
        self._at_once = at_once
        self._handles: dict[UUID, str] = {}

    async def run(self) -> Report:
        """Compare all. Raises what the client raises when the gateway stays away."""
        with phase(self._console, "Accounts", len(self._facts.accounts)) as accounts:

            async def account(handle: str) -> None:
                await self._account(handle)
                accounts.advance()

            await each(self._facts.accounts, account, self._at_once)
        with phase(self._console, "Things", len(self._facts.things)) as things:

            async def thing(ref: str) -> None:
                await self._thing(ref)
                things.advance()

            await each(self._facts.things, thing, self._at_once)
        with phase(self._console, "Latest feed", sum(map(len, self._facts.accounts.values()))) as feed:
            await self._feed(feed)
        return self.report

    def _differ(self, differences: Iterable[Difference]) -> None:
        self.report.differences.extend(differences)

    async def _account(self, handle: str) -> None:
        where = f"account @{handle}"
        self.report.accounts += 1
        shown, again = await self._account_pages(handle, 100), await self._account_pages(handle, OTHER_PAGE)
        if [pick.id for pick in shown] != [pick.id for pick in again]:
            self._differ([Difference(where, "order", "a stable one", f"another in pages of {OTHER_PAGE}")])
        facts = self._facts.accounts[handle]
        self._differ(set_differences(where, facts, [str(pick.thing.ref) for pick in shown]))
        self._differ(order_differences(where, "picked_at", [pick.picked_at for pick in shown]))
        for pick in shown:
            if fact := facts.get(str(pick.thing.ref)):
                self._differ(pick_differences(fact, pick, where))
        self._learn_author(handle, {pick.author.id for pick in shown}, where)

    async def _account_pages(self, handle: str, limit: int) -> list[Pick]:
        try:
            return [pick async for pick in self._pickly.account_picks(f"@{handle}", limit=limit)]
        except NotFound:
            return []

    def _learn_author(self, handle: str, authors: set[UUID], where: str) -> None:
        if len(authors) > 1:
            self._differ([Difference(where, "author", "one account", f"{len(authors)}")])
        for author in authors:
            other = self._handles.setdefault(author, handle)
            self._differ(differing(where, [(f"owner of account {author}", handle, other)]))

    async def _thing(self, ref: str) -> None:
        where, facts = f"thing {ref}", self._facts.things[ref]
        self.report.things += 1
        found = await self._pickly.find_thing(ref)
        if found is None:
            self._differ([Difference(where, "page", "it is there", "nothing")])
            return
        self._differ(thing_differences(facts, found, f"{where}, found by ref"))
        self._differ(thing_differences(facts, await self._pickly.thing(found.id), where))
        picks = [pick async for pick in self._pickly.thing_picks(found.id)]
        self._differ(set_differences(where, facts.handles, [self._owner(pick) for pick in picks], "pick by"))
        self._differ(order_differences(where, "published_at", [pick.published_at for pick in picks]))

    def _owner(self, pick: Pick) -> str:
        return self._handles.get(pick.author.id, f"account {pick.author.id}")

    async def _feed(self, feed: Phase) -> None:
        where = "latest feed"
        shown: list[str] = []
        times: list[datetime] = []
        async for pick in self._pickly.latest():
            feed.advance()
            times.append(pick.published_at)
            if pick.author.id not in self._handles and pick.thing.ref not in self._facts.things:
                self.report.others += 1
                continue
            owner = self._owner(pick)
            shown.append(f"{pick.thing.ref} by {owner}")
            if facts := self._facts.accounts.get(owner, {}).get(str(pick.thing.ref)):
                self._differ(pick_differences(facts, pick, where))
        self.report.feed = len(shown)
        wanted = (f"{ref} by {handle}" for handle, picks in self._facts.accounts.items() for ref in picks)
        self._differ(set_differences(where, wanted, shown))
        self._differ(order_differences(where, "published_at", times))
