"""When records are given up: all have the same time, so they end in the order they came by one timer."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from producers.lanes import Lane
from producers.room import Record


class Deadlines:
    """Calls `give_up` for every record without an answer `seconds` after it was added."""

    def __init__(self, seconds: float, give_up: Callable[[Lane, Record], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._queue: deque[tuple[float, Lane, Record]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, lane: Lane, record: Record) -> None:
        """Its time begins now."""
        while self._queue and self._queue[0][2].answer.done():
            self._queue.popleft()
        self._queue.append((time.monotonic() + self._seconds, lane, record))
        if self._timer is None:
            self._wait(self._seconds)

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._queue and (self._queue[0][2].answer.done() or self._queue[0][0] <= now):
            _, lane, record = self._queue.popleft()
            if not record.answer.done():
                self._give_up(lane, record)
        if self._queue:
            self._wait(self._queue[0][0] - now)
