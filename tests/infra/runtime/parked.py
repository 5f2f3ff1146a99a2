"""Commands that died of a bug, with their keys parked behind them, and what to look at afterwards."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

from infra.runtime import Db, Decider, positions
from infra.runtime.group import Group
from schemas.envelope import Meta
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.test_failures import until_applied
from tests.infra.runtime.widgets import OWNER, Contract, Tape, decider

MakeBench = Callable[..., Bench]


def buggy(c: Contract, *, fails: Callable[[str], bool] = lambda value: value.startswith("bug")) -> Decider:
    """A decider with a bug: it dies of some values."""
    group = decider(c)
    put = group.handlers["Put"].function

    async def wrong(message: Any, meta: Meta, connection: Db) -> Any:
        if fails(message.value):
            raise KeyError(message.value)
        return await put(message, meta, connection)

    group.handlers["Put"] = replace(group.handlers["Put"], function=wrong)
    return group


async def owning(bench: MakeBench, group: Group, topic: str) -> Bench:
    """A bench that owns both partitions where their positions are."""
    made = bench(group)
    places = [TopicPartition(topic, n) for n in range(2)]
    await made.own(*places)
    async with made.poller.connection.use() as db:
        rows = await positions.load(db, made.group.name, places)
    made.poller.expected = {place: row.next_offset for place, row in rows.items()}
    return made


async def parked(bench: MakeBench, c: Contract, *values: str, key: str = "a") -> tuple[Bench, Tape]:
    """Commands of one key, of which the buggy decider has made what it could."""
    b, tape = await owning(bench, buggy(c), c.commands.name), Tape.of(c.commands)
    records = [
        tape.add(c.Put(key_=key, owner=OWNER, value=value, n=n), partition=0, id=UUID(int=n, version=4))
        for n, value in enumerate(values)
    ]
    await until_applied(b, records)
    return b, tape


async def mark(db: Db, *offsets: int, state: str = "replay", schema: str = "widgets") -> None:
    """As ops does; all letters without `offsets`."""
    await db.execute(
        f"UPDATE {schema}.dead_letter SET state = $1"
        " WHERE closed_at IS NULL AND (record_offset = ANY($2) OR cardinality($2) = 0)",
        state,
        list(offsets),
    )


async def told(db: Db) -> list[tuple[int, str, int, bool]]:
    """Offset, state, attempts and whether closed, of every letter."""
    rows = await db.fetch("SELECT record_offset, state, attempts, closed_at FROM dead_letter ORDER BY 1")
    return [(r["record_offset"], r["state"], r["attempts"], r["closed_at"] is not None) for r in rows]


async def statuses(db: Db) -> list[str]:
    """The statuses of decisions in the order of their commands' ids."""
    return [row["status"] for row in await db.fetch("SELECT status FROM decision ORDER BY command_id")]


async def numbers(db: Db, key: str = "a") -> list[int]:
    """The numbers of the commands that a widget has seen, in order."""
    return list(await db.fetchval("SELECT numbers FROM widget WHERE key = $1", key) or [])
