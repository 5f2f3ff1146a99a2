"""Records that wait for their place on a topic, and the bound on how many may."""

import asyncio
from dataclasses import dataclass

Place = tuple[int, int]
"""Partition and offset of an acknowledged record."""


@dataclass(slots=True, eq=False)
class Record:
    """One record and the caller who waits for its place. `departed` means: it may be on the topic."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    size: int
    answer: asyncio.Future[Place]
    departed: bool = False

    def refuse(self, error: Exception) -> None:
        """Tell the caller, if there still is one."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Room:
    """Counts the records held in memory, waiting or on their way, whether their callers still wait or not."""

    def __init__(self, records: int, size: int) -> None:
        self._limits = (records, size)
        self.records = self._size = 0
        self._empty = asyncio.Event()

    def fits(self, size: int) -> bool:
        """Whether one more record of `size` bytes may come in."""
        records, total = self._limits
        return self.records < records and self._size + size <= total

    def add(self, record: Record) -> None:
        """A record came in."""
        self.records += 1
        self._size += record.size

    def remove(self, record: Record) -> None:
        """A record is forgotten."""
        self.records -= 1
        self._size -= record.size
        if not self.records:
            self._empty.set()

    async def until_empty(self, seconds: float) -> None:
        """Wait, but not longer than `seconds`; nothing must come in meanwhile."""
        try:
            async with asyncio.timeout(seconds if self.records else 0):
                self._empty.clear()
                await self._empty.wait()
        except TimeoutError:
            return
