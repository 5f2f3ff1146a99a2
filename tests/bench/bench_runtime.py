"""How fast a group drains a backlog, against a bare loop doing the least that could be called the same.

`PICKLY_TEST_SERVERS=FOLDER/env python -m tests.bench.bench_runtime [--messages N] [--profile VARIANT]`
prints a table; with --profile also where the time of that variant goes. One process, everything on one
machine: ratios from one run mean something, absolute rates depend on what else it does.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.runtime import Batch, Db, Decider, Projection, gone
from infra.runtime.group import Group
from schemas.message import Message
from tests.bench.backlog import Clock, Figure, Place, fresh
from tests.conftest import read_env
from tests.infra.runtime.widgets import OWNER, Contract, contract, decider

PARTITIONS: Final = 6
KEYS: Final = 10_000
BATCH: Final = 500


async def single(place: Place, clock: Clock) -> Figure:
    """A decider whose handlers take one command at a time."""
    c = contract("single", partitions=PARTITIONS)
    await place.fill(c.commands, lambda n: put(c, n))
    return await place.drain("decider, single handlers", renamed(decider(c), c), clock)


UPSERT: Final = """
INSERT INTO widget SELECT *, '{}'::int[] FROM unnest($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version
"""


async def batched(place: Place, clock: Clock) -> Figure:
    """A decider whose handler takes a wave in three statements."""
    c = contract("batched", partitions=PARTITIONS)
    await place.fill(c.commands, lambda n: put(c, n))
    group = Decider("widgets", c.commands, ignores=(c.Drop,))

    @group.on_batch(c.Put)
    async def put_many(batch: Batch[Any], db: Db) -> Sequence[Any]:
        keys = [item.message.key_ for item in batch]
        rows = await db.fetch("SELECT key, version FROM widget WHERE key = ANY($1) FOR UPDATE", keys)
        known = {row["key"]: row["version"] for row in rows}
        last = await gone.sequences(db, c.events, [key for key in keys if key not in known]) | known
        versions = [last.get(key, 0) + 1 for key in keys]
        values = [item.message.value for item in batch]
        await db.execute(UPSERT, keys, values, versions)
        triples = zip(keys, values, versions, strict=True)
        return [c.Widget(key_=key, value=value, version=version) for key, value, version in triples]

    return await place.drain("decider, batch handler", renamed(group, c), clock)


async def projected(place: Place, clock: Clock) -> Figure:
    """A projection that writes its rows in one statement."""
    c = contract("projected", partitions=PARTITIONS)
    await place.fill(
        c.events, lambda n: c.Widget(key_=f"k{n % KEYS}", value="v" * 100, version=n // KEYS + 1)
    )
    group = Projection("widgets", c.events, ignores=(c.WidgetGone,))

    @group.on(c.Widget)
    async def show(batch: Batch[Any], db: Db) -> None:
        await db.execute(
            "INSERT INTO widget SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version"
            " WHERE excluded.version > widget.version",
            [item.message.key_ for item in batch],
            [item.message.value for item in batch],
            [item.message.version for item in batch],
        )

    return await place.drain("projection", renamed(group, c), clock)


async def raw(place: Place, clock: Clock) -> Figure:
    """Fetch, pydantic, insert 500 rows, update the positions, commit: nothing that makes it safe."""
    c = contract("raw", partitions=PARTITIONS)
    await place.fill(c.commands, lambda n: put(c, n))
    places = [TopicPartition(c.commands.name, n) for n in range(PARTITIONS)]
    db = await asyncpg.connect(place.settings.dsn("postgres"))
    await db.executemany("INSERT INTO raw.position VALUES ($1, 0)", [(each.partition,) for each in places])
    async with AIOKafkaConsumer(
        bootstrap_servers=place.settings.kafka, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign(places)
        done = 0
        while done < place.messages:
            polled = await consumer.getmany(timeout_ms=200, max_records=BATCH)
            if polled:
                clock.start()
                done += await write_raw(db, c, polled)
    await db.close()
    return clock.stop("bare loop")


async def write_raw(db: Db, c: Contract, polled: dict[TopicPartition, Any]) -> int:
    """Insert what was polled; how many it was."""
    records = [record for several in polled.values() for record in several]
    messages = [c.Put.model_validate_json(record.value) for record in records]
    async with db.transaction():
        await db.execute(
            "INSERT INTO raw.widget SELECT * FROM unnest($1::text[], $2::text[], $3::int[])",
            [message.key_ for message in messages],
            [message.value for message in messages],
            [message.n for message in messages],
        )
        for where, several in polled.items():
            await db.execute(
                "UPDATE raw.position SET next_offset = $2 WHERE partition = $1",
                where.partition,
                several[-1].offset + 1,
            )
    return len(records)


def put(c: Contract, number: int) -> Message:
    """The n-th command: keys come round after 10,000."""
    message: Message = c.Put(key_=f"k{number % KEYS}", owner=OWNER, value="v" * 100, n=number)
    return message


def renamed(group: Group, c: Contract) -> Group:
    """In a Kafka group of its own."""
    group.name = c.commands.name
    return group


VARIANTS: Final[dict[str, Callable[[Place, Clock], Awaitable[Figure]]]] = {
    "raw": raw,
    "single": single,
    "batched": batched,
    "projected": projected,
}


async def main(messages: int, profiled: str | None) -> None:
    """Run every variant and print what came out."""
    figures = []
    for name, variant in VARIANTS.items():
        profile = cProfile.Profile() if name == profiled else None
        with tempfile.TemporaryDirectory() as folder:
            async with fresh(messages, Path(folder)) as place:
                figures.append(await variant(place, Clock(messages, profile)))
        if profile is not None:
            pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(40)
    sys.stdout.write(f"{'variant':28}{'messages/s':>12}{'CPU us each':>14}{'of the bare loop':>18}\n")
    for figure in figures:
        share = figure.rate / figures[0].rate
        sys.stdout.write(f"{figure.variant:28}{figure.rate:12,.0f}{figure.cpu:14.0f}{share:18.2f}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--profile", choices=list(VARIANTS))
    asked = parser.parse_args()
    os.environ.update(read_env(Path(os.environ["PICKLY_TEST_SERVERS"])))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(asked.messages, asked.profile))
