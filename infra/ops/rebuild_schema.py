"""The two schemas of a rebuild: `read_<name>_next` made and removed, positions held still, both swapped."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka import TopicPartition

from infra.ops.dead_letters import NOTE_DOWN, who
from infra.ops.migrate import LOCK, LOCK_TIMEOUT, create_group_schema
from infra.ops.migrations_files import migrations_of
from infra.ops.migrations_roles import OWNER
from infra.ops.migrations_runner import HISTORY, patiently, pending
from infra.ops.migrations_views import DROP_VIEWS, rebuild_views
from infra.roles import NEXT_SUFFIX, OLD_SUFFIX
from infra.settings import Settings

if TYPE_CHECKING:
    from asyncpg import Connection

ALONE: Final = 0x7265_6275
"""First key of the advisory lock: one rebuild of a projection at a time."""
APPLICATION: Final = "pickly-rebuild"
ORPHAN_SECONDS: Final = 15.0
HOLD_TIMEOUT: Final = "20s"
"""A rebuild that freezes while it holds the live positions is cut off by the server."""


class RebuildError(RuntimeError):
    """The projection cannot be rebuilt; says what to do. The live read model is as it was."""


class NotYetError(RebuildError):
    """The shadow is not where the live one is: it must go on catching up."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of `position`: what is read next, of which topic by its id, and why it stands, if it does."""

    next_offset: int
    topic_id: str | None
    stopped: str | None


Positions = Mapping[TopicPartition, Standing]


@asynccontextmanager
async def alone(settings: Settings, projection: str) -> AsyncIterator["Connection"]:
    """A connection as `migrate` that holds the rebuild's lock on the projection. Raises RebuildError."""
    options = {
        "application_name": f"{APPLICATION} by {who()}, pid {os.getpid()}"[:63],
        "lock_timeout": LOCK_TIMEOUT,
        "search_path": "",
    }
    db = await asyncpg.connect(settings.dsn(OWNER), timeout=10, server_settings=options)
    try:
        if not await db.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", ALONE, projection):
            raise RebuildError(f"{projection} is being rebuilt already: {await _holder(db, projection)}")
        yield db
    finally:
        await db.close(timeout=5)


async def _holder(db: "Connection", projection: str) -> str:
    row = await db.fetchrow(
        "SELECT application_name, date_trunc('second', backend_start)::text AS since"
        "  FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND classid = $1::int::oid AND granted"
        "   AND objid = (hashtext($2)::bigint & 4294967295)::oid AND datname = current_database()",
        ALONE,
        projection,
    )
    return f"{row['application_name']}, since {row['since']}" if row else "it has just ended; try again"


async def make_next(db: "Connection", projection: str) -> None:
    """The empty schema beside the live one. Raises RebuildError when that is not as this code makes it."""
    if await db.fetchval("SELECT to_regclass($1)", f"{projection}.{HISTORY}") is None:
        raise RebuildError(f"there is no schema {projection}: run ./pickly migrate")
    if late := await pending(db, projection, migrations_of(projection)):
        raise RebuildError(f"{projection} is behind this code ({late[0].name}): run ./pickly migrate")
    await create_group_schema(db, f"{projection}{NEXT_SUFFIX}", projection)


async def drop_next(db: "Connection", projection: str) -> None:
    """Remove the shadow, if there is one, once no process of an interrupted rebuild writes to it any more."""
    shadow = f"{projection}{NEXT_SUFFIX}"
    for _ in range(int(ORPHAN_SECONDS / 0.1)):
        orphans = await db.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()",
            f"{projection}/{shadow}",
        )
        if not orphans:
            await patiently(f"dropping {shadow}", partial(_drop, db, shadow))
            return
        await asyncio.sleep(0.1)
    raise RebuildError(
        f"a process of an interrupted rebuild still works on {shadow}: end it, then try again"
        f" (python -m consumers --next {projection})"
    )


async def _drop(db: "Connection", schema: str) -> None:
    await db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


async def has_old(db: "Connection", projection: str) -> bool:
    """Whether the read model that an earlier rebuild replaced is still there."""
    found = await db.fetchval("SELECT to_regnamespace($1)", f"{projection}{OLD_SUFFIX}")
    return found is not None


async def drop_old(db: "Connection", projection: str) -> bool:
    """Remove the replaced read model, and write down who did; whether there was one."""
    if not await has_old(db, projection):
        return False
    await patiently(f"dropping {projection}{OLD_SUFFIX}", partial(_drop_old, db, projection))
    return True


async def _drop_old(db: "Connection", projection: str) -> None:
    async with db.transaction():
        await _drop(db, f"{projection}{OLD_SUFFIX}")
        await db.execute(NOTE_DOWN, who(), "drop-old", projection, None, 0)


async def standings(db: "Connection", schema: str) -> dict[TopicPartition, Standing]:
    """The positions of the group in `schema`."""
    rows = await db.fetch(f"SELECT topic, partition, next_offset, topic_id, stopped FROM {schema}.position")
    return {
        TopicPartition(row["topic"], row["partition"]): Standing(
            row["next_offset"], row["topic_id"], row["stopped"]
        )
        for row in rows
    }


@asynccontextmanager
async def held(db: "Connection", projection: str) -> AsyncIterator[dict[TopicPartition, Standing]]:
    """A transaction in which the live positions stand still, and with them the live read model."""
    async with db.transaction():
        await db.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{HOLD_TIMEOUT}'")
        await db.execute(f"LOCK TABLE {projection}.position IN SHARE ROW EXCLUSIVE MODE")
        yield await standings(db, projection)


def goals(
    live: Positions, shadow: Positions, ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """How far the shadow must be on each partition: as far as the live one, and never back.

    A live position of another topic by that name binds nobody, nor does one behind the end of the log.
    """
    result = {}
    for place, row in shadow.items():
        known = live.get(place)
        wanted = known.next_offset if known and known.topic_id in (None, row.topic_id) else 0
        if known and known.stopped:
            wanted = min(wanted, ends[place])
        result[place] = max(wanted, row.next_offset)
    return result


async def swap(db: "Connection", projection: str, wanted: Mapping[TopicPartition, int], reason: str) -> None:
    """Put the shadow in the live one's place, within the transaction of `held`. Raises NotYetError.

    Whoever waits to move an old position finds none, and reads it again: from the new table. The views go
    first: a reader locks a view and then its tables; the other way round they would wait for each other.
    """
    shadow, old = f"{projection}{NEXT_SUFFIX}", f"{projection}{OLD_SUFFIX}"
    if not await db.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
        raise NotYetError("a migration runs: try again when it has ended")
    await _require_same_tables(db, projection)
    await db.execute(f"LOCK TABLE {shadow}.position IN SHARE ROW EXCLUSIVE MODE")
    reached = await standings(db, shadow)
    if late := [place for place, offset in wanted.items() if reached[place].next_offset < offset]:
        raise NotYetError(f"the new one is behind the live one on {late[0].topic}/{late[0].partition}")
    await db.execute(
        f"""
        {DROP_VIEWS};
        ALTER TABLE {projection}.position ALTER next_offset DROP NOT NULL;
        UPDATE {projection}.position SET next_offset = NULL;
        UPDATE {shadow}.position SET group_name = '{projection}', owner = '';
        UPDATE {shadow}.dead_letter SET group_name = '{projection}';
        ALTER SCHEMA {projection} RENAME TO {old};
        ALTER SCHEMA {shadow} RENAME TO {projection};
        """
    )
    await rebuild_views(db)
    await db.execute(NOTE_DOWN, who(), "rebuild", projection, reason, 0)


async def _require_same_tables(db: "Connection", projection: str) -> None:
    newer = await db.fetchval(
        f"SELECT min(name) FROM {projection}.{HISTORY}"
        f" WHERE name NOT IN (SELECT name FROM {projection}{NEXT_SUFFIX}.{HISTORY})"
    )
    if newer is not None:
        raise RebuildError(f"{projection} was migrated meanwhile ({newer}): rebuild it again with that code")
