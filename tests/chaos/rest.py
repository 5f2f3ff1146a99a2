"""When a run has come to rest: outboxes empty, every position at the end of its log, effects done."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import asyncpg
from aiokafka.errors import KafkaError

from infra.local.secrets import SUPERUSER
from infra.ops.database import DatabaseError
from infra.ops.lag_reading import look
from infra.ops.topic_broker import BrokerError
from infra.roles import DECIDERS
from infra.settings import Settings

LOOK: Final = 0.5
Wanted = Callable[[str], bool]


def everything(group: str) -> bool:
    """Every group counts."""
    return True


async def come_to_rest(
    settings: Settings, within: float, wanted: Wanted = everything
) -> tuple[float, list[str]]:
    """Seconds until everything rested, and what still does not after `within`."""
    began = time.monotonic()
    end = began + within
    while (restless := await _restless(settings, wanted)) and time.monotonic() < end:  # noqa: ASYNC110 - polls
        await asyncio.sleep(LOOK)
    return time.monotonic() - began, restless


async def _restless(settings: Settings, wanted: Wanted) -> list[str]:
    """What there still is to do, a line each."""
    try:
        report = await look(settings)
        effects = await _effects(settings)
    except (BrokerError, DatabaseError, KafkaError, OSError, asyncpg.PostgresError) as error:
        return [f"it cannot be looked at: {error}"]
    parts = [part for part in report.parts if wanted(part.group)]
    waiting = [
        f"{part.group} is {part.behind} behind on {part.topic}/{part.partition}"
        for part in parts
        if part.behind
    ]
    stopped = [
        f"{part.group} stands still on {part.topic}/{part.partition}: {part.stopped}"
        for part in parts
        if part.stopped
    ]
    unsent = [f"{each.depth} events in the outbox of {each.schema}" for each in report.outboxes if each.depth]
    return waiting + stopped + unsent + effects


async def _effects(settings: Settings) -> list[str]:
    db = await asyncpg.connect(settings.dsn(SUPERUSER), timeout=5)
    try:
        counts = {
            schema: await db.fetchval(f"SELECT count(*) FROM {schema}.effect WHERE dead_at IS NULL")
            for schema in DECIDERS
        }
    finally:
        await db.close()
    return [f"{count} effects of {schema} are not done" for schema, count in counts.items() if count]
