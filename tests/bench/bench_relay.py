"""How fast the relay empties an outbox, against a bare transactional producer in pages of the same size.

`python -m tests.bench.bench_relay [--events 30000]` with PICKLY_* variables of running servers that have the
topics (`python -m infra.ops.topics apply`); it makes a database of its own and drops it.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from infra.partitions import partition_of
from infra.process import Process
from infra.settings import Settings, settings
from infra.wake import Waker
from producers.outbox import PAGE_ROWS
from producers.relay import Relay
from schemas.topics import PICK_EVENTS
from tests.producers.reading import ends
from tests.producers.world import SCHEMA, Event, World, new_world

BODY = b'{"note":"%b"}' % (b"x" * 300)


@dataclass(frozen=True)
class Row:
    """One measurement; `cpu` is milliseconds of this process per event."""

    name: str
    events: int
    seconds: float
    cpu: float


def events(count: int) -> list[Event]:
    """Two thirds of the commands cause one event, the others two."""
    causes = [uuid4() for _ in range(count * 3 // 4 + 1)]
    return [Event(str(uuid4()), cause=causes[number % len(causes)], body=BODY) for number in range(count)]


async def bare(config: Settings, count: int, *, batches: bool) -> Row:
    """The control: nothing but Kafka, `send` per event or filled batches."""
    producer = AIOKafkaProducer(
        bootstrap_servers=config.kafka,
        acks="all",
        transactional_id=f"bench-{uuid4()}",
        max_batch_size=512 * 1024,
    )
    await producer.start()
    todo = events(count)
    cpu, began = time.process_time(), time.perf_counter()
    for start in range(0, count, PAGE_ROWS):
        page = todo[start : start + PAGE_ROWS]
        await producer.begin_transaction()
        await (send_batches(producer, page) if batches else send_each(producer, page))
        await producer.commit_transaction()
    row = Row(
        "bare producer, batches" if batches else "bare producer, send each",
        count,
        time.perf_counter() - began,
        (time.process_time() - cpu) / count * 1e3,
    )
    await producer.stop()
    return row


def wire(event: Event) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Key and headers as they travel."""
    return event.key.encode(), [(name, value.encode()) for name, value in event.headers.items()]


async def send_each(producer: AIOKafkaProducer, page: list[Event]) -> None:
    """One `send` per event."""
    sends = []
    for event in page:
        key, headers = wire(event)
        partition = partition_of(event.key, PICK_EVENTS)
        sends.append(
            await producer.send(PICK_EVENTS.name, event.body, key=key, partition=partition, headers=headers)
        )
    await asyncio.gather(*sends)


async def send_batches(producer: AIOKafkaProducer, page: list[Event]) -> None:
    """One batch per partition; these are small enough for one."""
    groups: dict[int, list[Event]] = {}
    for event in page:
        groups.setdefault(partition_of(event.key, PICK_EVENTS), []).append(event)
    sends = []
    for partition, members in groups.items():
        batch = producer.create_batch()
        for event in members:
            key, headers = wire(event)
            if batch.append(timestamp=None, key=key, value=event.body, headers=headers) is None:
                raise RuntimeError("the page does not fit into a batch")
        sends.append(await producer.send_batch(batch, PICK_EVENTS.name, partition=partition))
    await asyncio.gather(*sends)


async def drain(world: World, count: int) -> Row:
    """A full outbox, emptied by the real relay in this process."""
    await world.post(events(count))
    process, waker = Process(), Waker(world.settings)
    relay = Relay(SCHEMA, world.settings, process, waker)
    cpu, began = time.process_time(), time.perf_counter()
    task = asyncio.create_task(relay.run())
    await world.until_sent()
    row = Row("relay", count, time.perf_counter() - began, (time.process_time() - cpu) / count * 1e3)
    process.stopping.set()
    await task
    await waker.close()
    return row


async def single(world: World, count: int) -> tuple[float, float]:
    """An idle relay and one event at a time: p50 and p95 ms from COMMIT to the decision's offsets."""
    process, waker = Process(), Waker(world.settings)
    relay = Relay(SCHEMA, world.settings, process, waker)
    task = asyncio.create_task(relay.run())
    times = []
    for _ in range(count):
        await world.post([Event(str(uuid4()), body=BODY)])
        began = time.perf_counter()
        await world.until_sent(0.0)
        times.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(0.05)
    process.stopping.set()
    await task
    await waker.close()
    times.sort()
    return times[count // 2], times[int(count * 0.95)]


async def measure(count: int, console: Console) -> None:
    """All of it."""
    config = settings()
    table = Table("", "events", "seconds", "events/s", "CPU us each", "not on the topic")
    async with new_world(config) as world:
        for _ in range(2):
            before = sum((await ends(config, PICK_EVENTS)).values())
            for row in (
                await bare(config, count, batches=False),
                await bare(config, count, batches=True),
                await drain(world, count),
            ):
                table.add_row(
                    row.name, f"{row.events:,}", f"{row.seconds:.2f}", f"{row.events / row.seconds:,.0f}",
                    f"{row.cpu * 1e3:.0f}", "",
                )  # fmt: skip
            sent = sum((await ends(config, PICK_EVENTS)).values()) - before
            table.add_row("all", f"{3 * count:,}", "", "", "", str(max(0, 3 * count - sent)))
        p50, p95 = await single(world, 100)
    console.print(table)
    console.print(f"one event through an idle relay: p50 {p50:.1f} ms, p95 {p95:.1f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=30_000)
    uvloop.run(measure(parser.parse_args().events, Console()))


if __name__ == "__main__":
    main()
