"""What a request may use: opened once per process, handed to the routes in the ASGI scope."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from gateway.admission import Tokens
from gateway.config import GatewaySettings
from gateway.ended import Ended
from gateway.idempotency import Remembered
from gateway.keys import PublicKeys
from gateway.limits import Limiter
from gateway.plans import Plan, plans
from gateway.readiness import Readiness
from gateway.reads import picks
from gateway.reads.cache import PageCache
from gateway.reads.database import Database, open_database
from gateway.valkey import connect
from gateway.waiting import Waiter
from infra.jwk import local_jwks
from infra.settings import Settings
from infra.tokens import self_test
from infra.wake import Waker
from producers.send import Sender


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the routes."""

    limits: GatewaySettings
    tokens: Tokens
    ended: Ended
    keys: PublicKeys
    hashing: asyncio.Semaphore
    limiter: Limiter
    plans: Mapping[str, Plan]
    remembered: Remembered
    sender: Sender
    database: Database
    pages: PageCache
    waiter: Waiter
    readiness: Readiness
    tasks: tuple[asyncio.Task[None], ...]

    def why_not_alive(self) -> str | None:
        """For /healthz: None, or which background task has ended and should not have."""
        ended = [task.get_name() for task in self.tasks if task.done()]
        return f"ended: {', '.join(ended)}" if ended else None


@asynccontextmanager
async def open_services(settings: Settings, limits: GatewaySettings | None = None) -> AsyncIterator[Services]:
    """Open all; none of the servers behind need to be up for that."""
    limits = limits or GatewaySettings()
    self_test(settings)
    valkey, waker, sender = connect(settings), Waker(settings), Sender(settings)
    async with open_database(settings, limits) as database:
        pages = PageCache(picks.SHOWN, limits)
        keys, ended = PublicKeys(database, local_jwks(settings.secrets)), Ended(database)
        waiter, readiness = Waiter(database, limits, pages.seen), Readiness(database, sender)
        await sender.start()
        tasks = (
            asyncio.create_task(waker.listen(partial(_moved, pages, waiter)), name="waker"),
            asyncio.create_task(waiter.run(), name="waiter"),
            asyncio.create_task(readiness.run(), name="readiness"),
            asyncio.create_task(keys.run(), name="keys"),
            asyncio.create_task(ended.run(), name="ended"),
        )
        try:
            yield Services(
                limits=limits,
                tokens=Tokens(settings, ended, keys.ring),
                ended=ended,
                keys=keys,
                hashing=asyncio.Semaphore(limits.hashing),
                limiter=Limiter(valkey, settings.secret("valkey")),
                plans=plans(limits),
                remembered=Remembered(valkey),
                sender=sender,
                database=database,
                pages=pages,
                waiter=waiter,
                readiness=readiness,
                tasks=tasks,
            )
        finally:
            await sender.stop()
            await _end(tasks)
            await waker.close()
            await valkey.aclose()


def _moved(pages: PageCache, waiter: Waiter, group: str) -> None:
    pages.forget(group)
    waiter.wake(group)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until it works: redis-py swallows a cancellation that meets it while it connects."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.1)
