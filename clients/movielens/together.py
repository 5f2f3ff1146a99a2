"""Many pieces of work, a bounded number at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

ItemT = TypeVar("ItemT")


async def each(items: Iterable[ItemT], work: Callable[[ItemT], Awaitable[None]], at_once: int) -> None:
    """Do `work` on every item, begun in their order; the first exception ends all and is raised itself."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
