"""Time and CPU from the first message to the last one."""

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.bench import cpu
from tests.bench.ground import postmaster

if TYPE_CHECKING:
    from asyncpg import Connection


@dataclass(frozen=True)
class Figure:
    """Messages per second, and CPU microseconds for each: of this process, and of PostgreSQL."""

    rate: float
    cpu: float
    postgres: float


@dataclass
class Stopwatch:
    """Runs from the first `start` to `stop`, in the process that does the work."""

    messages: int
    server: int
    began: float = 0.0
    cpu: float = 0.0
    postgres: float = 0.0

    @classmethod
    async def of(cls, db: "Connection", messages: int) -> Self:
        """For so many messages, written through the server behind `db`."""
        return cls(messages, await postmaster(db))

    def start(self) -> None:
        """The first message is there; further calls change nothing."""
        if not self.began:
            self.postgres = cpu.spent_by_family(self.server)
            self.began, self.cpu = time.perf_counter(), cpu.spent(os.getpid())

    def stop(self) -> Figure:
        """The last one is applied."""
        seconds, used = time.perf_counter() - self.began, cpu.spent(os.getpid()) - self.cpu
        postgres = cpu.spent_by_family(self.server) - self.postgres
        each = 1e6 / self.messages
        return Figure(self.messages / seconds, used * each, postgres * each)
