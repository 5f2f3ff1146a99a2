"""Records are given up when their time is over: those without an answer, all of them, and no others."""

import asyncio
import time

from producers.deadlines import Deadlines
from producers.lanes import SENT, Lane
from producers.room import Record

PATIENCE = 30


class Times:
    """Deadlines of so many seconds, and who was given up, in that order."""

    def __init__(self, seconds: float) -> None:
        self.given_up: asyncio.Queue[Record] = asyncio.Queue()
        self._deadlines = Deadlines(seconds, lambda _, record: self.given_up.put_nowait(record))
        self._lane = Lane("topic", 0, SENT.labels("topic"))

    def add(self) -> Record:
        """One more that waits for its answer."""
        record = Record(b"key", b"{}", [], 5, asyncio.get_running_loop().create_future())
        self._deadlines.add(self._lane, record)
        return record


async def test_who_has_no_answer_in_time_is_given_up_in_order() -> None:
    times = Times(0.05)
    answered, first, gone, second = (times.add() for _ in range(4))
    answered.answer.set_result((0, 0))
    gone.answer.cancel()

    async with asyncio.timeout(PATIENCE):
        assert [await times.given_up.get() for _ in range(2)] == [first, second]
        later = times.add(), times.add()
        assert (await times.given_up.get(), await times.given_up.get()) == later


async def test_nobody_is_given_up_early() -> None:
    times, began = Times(0.2), dict[bytes, float]()
    for number in range(5):
        began[b"%d" % number] = time.monotonic()
        times.add().key = b"%d" % number
        await asyncio.sleep(0.02)  # so that their times end one after the other

    async with asyncio.timeout(PATIENCE):
        for _ in began:
            record = await times.given_up.get()
            assert time.monotonic() >= began[record.key] + 0.2
