"""Many pieces of work at once."""

import asyncio

import pytest

from clients.movielens.together import each


async def test_all_is_done_and_never_more_at_once_than_allowed() -> None:
    done: list[int] = []
    running = most = 0

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(item)

    await each(range(100), work, 7)

    assert sorted(done) == list(range(100))
    assert most == 7


async def test_the_first_exception_ends_all_and_is_raised_itself() -> None:
    begun: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        await asyncio.sleep(0)
        if item == 10:
            raise LookupError("ten")

    with pytest.raises(LookupError, match="ten"):
        await each(range(1000), work, 4)

    assert len(begun) < 1000
