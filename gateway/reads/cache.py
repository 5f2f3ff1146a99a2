"""Pages kept in memory for a moment, for all who ask; dropped when a read model that they show has moved.

Only for pages that are the same whoever looks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from gateway.config import GatewaySettings
from gateway.reads.represent import Representation
from gateway.standing import Place, Position

PAGES: Final = Counter(
    "pickly_page_cache_total",
    "Pages asked for without Pickly-After: kept, shared (with a read that was on its way) or read.",
    ["result"],
)
KEPT, SHARED, READ = (PAGES.labels(result) for result in ("kept", "shared", "read"))

Read = Callable[[], Awaitable[Representation]]


@dataclass(frozen=True, slots=True)
class _Kept:
    page: Representation
    until: float


@dataclass(frozen=True, slots=True)
class _Reading:
    task: asyncio.Task[Representation]
    until: float


class PageCache:
    """Pages of the read models `groups`. What it gives was read at most `page_cache_seconds` ago.

    Bounded by number and bytes; the oldest go first.
    """

    def __init__(
        self, groups: Collection[str], limits: GatewaySettings, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._groups = frozenset(groups)
        self._seconds = limits.page_cache_seconds
        self._most_pages = limits.page_cache_pages
        self._most_bytes = limits.page_cache_bytes
        self._now = now
        self._kept: dict[Hashable, _Kept] = {}
        self._bytes = 0
        self._reading: dict[Hashable, _Reading] = {}
        self._positions: Mapping[Place, Position] = {}

    async def page(self, key: Hashable, read: Read) -> Representation:
        """The page under `key`, by `read` unless it is there or on its way; raises what `read` raises."""
        if self._seconds <= 0:
            READ.inc()
            return await read()
        now = self._now()
        kept = self._kept.get(key)
        if kept is not None and now < kept.until:
            KEPT.inc()
            return kept.page
        reading = self._reading.get(key)
        if reading is not None and now < reading.until:
            SHARED.inc()
        else:
            READ.inc()
            until = now + self._seconds  # from before the read: what it shows may be as old as its beginning
            reading = _Reading(asyncio.create_task(self._read(key, read, until)), until)
            self._reading[key] = reading
        return await asyncio.shield(reading.task)  # who gives up takes the page from nobody

    def forget(self, group: str) -> None:
        """`group` has moved: keep no page that shows it, nor one whose read has begun already."""
        if group in self._groups:
            self._forget_all()

    def seen(self, positions: Mapping[Place, Position]) -> None:
        """Somebody is told by these positions what is visible: from now on no page may be older."""
        if positions and positions != self._positions:
            self._positions = positions
            self._forget_all()

    def _forget_all(self) -> None:
        self._kept, self._reading, self._bytes = {}, {}, 0

    async def _read(self, key: Hashable, read: Read, until: float) -> Representation:
        try:
            page = await read()
            if self._is_newest(key):
                self._keep(key, _Kept(page, until))
            return page
        finally:
            if self._is_newest(key):
                del self._reading[key]

    def _is_newest(self, key: Hashable) -> bool:
        """Whether this task is still the read of `key`: nothing has moved since it began."""
        reading = self._reading.get(key)
        return reading is not None and reading.task is asyncio.current_task()

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        size = len(kept.page.body)
        if size > self._most_bytes:
            return
        self._drop(key)
        self._kept[key] = kept
        self._bytes += size
        while len(self._kept) > self._most_pages or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.page.body)
