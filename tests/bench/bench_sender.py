"""What an acknowledged command costs: the sender's group commit against a send per request, in one run.

`python -m tests.bench.bench_sender [--seconds 5]` with PICKLY_* variables of running servers that have the
topics (`python -m infra.ops.topics apply`). Acknowledgements are counted against the end offsets.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from infra.partitions import partition_of
from infra.settings import Settings, settings
from producers.link import BATCH_BYTES
from producers.send import DEADLINE, Sender
from schemas.envelope import Meta
from schemas.picks import DeletePick, EditPick, PickCommand
from schemas.topics import PICK_COMMANDS
from tests.producers.reading import ends

Send = Callable[[PickCommand, Meta], Awaitable[object]]
CLIENTS = (1, 8, 32, 128, 512)
BURST = 2_000
CONTROL = "send per request"


@dataclass(frozen=True)
class Row:
    """One measurement; `cpu` is milliseconds of this process per command, building it included."""

    name: str
    clients: int
    rate: float
    p50: float
    p99: float
    cpu: float
    acknowledged: int
    on_topic: int


async def measure(name: str, send: Send, clients: int, seconds: float, config: Settings) -> Row:
    """`clients` callers at a time, each sending its next command when the last is acknowledged."""
    before = sum((await ends(config, PICK_COMMANDS)).values())
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (began := time.perf_counter()) < end:
            command = DeletePick(pick_id=uuid4(), author_id=uuid4())
            meta = Meta(uuid4(), "DeletePick", datetime.now(UTC), command.about, actor=uuid4())
            await send(command, meta)
            times.append(time.perf_counter() - began)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    cpu, took = time.process_time() - cpu, time.perf_counter() - began
    after = sum((await ends(config, PICK_COMMANDS)).values())
    times.sort()
    count = len(times)
    p50, p99 = times[count // 2] * 1e3, times[int(count * 0.99)] * 1e3
    return Row(name, clients, count / took, p50, p99, cpu / count * 1e3, count, after - before)


async def per_request(producer: AIOKafkaProducer, command: PickCommand, meta: Meta) -> None:
    """The control: what aiokafka's own `send` costs, with the deadline that a caller needs."""
    headers = [(name, value.encode()) for name, value in meta.headers().items()]
    async with asyncio.timeout(DEADLINE):
        await producer.send_and_wait(
            PICK_COMMANDS.name,
            command.body(),
            key=command.key.encode(),
            partition=partition_of(command.key, PICK_COMMANDS),
            headers=headers,
        )


async def closed_loop(
    producer: AIOKafkaProducer, sender: Sender, seconds: float, config: Settings
) -> list[Row]:
    """Both ways with each number of callers, alternating."""
    measured = []
    for clients in CLIENTS:
        ways: dict[str, Send] = {
            CONTROL: lambda command, meta: per_request(producer, command, meta),
            "group commit": sender.send,
        }
        for name, send in ways.items():
            await measure(name, send, clients, 0.5, config)
            measured.append(await measure(name, send, clients, seconds, config))
    return measured


async def burst(name: str, send: Send, config: Settings) -> Row:
    """BURST commands of about 8 KiB for one partition at once, as when everybody edits one subject."""
    before = sum((await ends(config, PICK_COMMANDS)).values())
    command = EditPick(pick_id=uuid4(), author_id=uuid4(), note="\N{OPEN BOOK}" * 2_000)
    metas = [Meta(uuid4(), "EditPick", datetime.now(UTC), command.about) for _ in range(BURST)]
    cpu, began = time.process_time(), time.perf_counter()
    results = await asyncio.gather(*(send(command, meta) for meta in metas), return_exceptions=True)
    cpu, took = time.process_time() - cpu, time.perf_counter() - began
    count = sum(not isinstance(result, BaseException) for result in results)
    after = sum((await ends(config, PICK_COMMANDS)).values())
    return Row(name, BURST, count / took, 0, took * 1e3, cpu / BURST * 1e3, count, after - before)


async def rows(seconds: float) -> tuple[list[Row], list[Row]]:
    """Closed loop, then bursts."""
    config = settings()
    producer, patient = (
        AIOKafkaProducer(
            bootstrap_servers=config.kafka, acks="all", request_timeout_ms=3000, max_batch_size=size
        )
        for size in (16 * 1024, BATCH_BYTES)
    )
    sender = Sender(config)
    await producer.start()
    await patient.start()
    await sender.start()
    loop = await closed_loop(producer, sender, seconds, config)
    bursts = [
        await burst(CONTROL, lambda command, meta: per_request(producer, command, meta), config),
        await burst(
            "send per request, batches of 512 KiB",
            lambda command, meta: per_request(patient, command, meta),
            config,
        ),
        await burst("group commit", sender.send, config),
    ]
    await sender.stop()
    await patient.stop()
    await producer.stop()
    return loop, bursts


def table_of(title: str, measured: list[Row]) -> Table:
    """Ratios are commands per CPU second, against the control with as many callers."""
    table = Table(
        "sender", "callers", "commands/s", "p50 ms", "p99 ms", "CPU ms each", "per CPU s", "ratio",
        "acknowledged", "on the topic", title=title,
    )  # fmt: skip
    control = {row.clients: row.cpu for row in measured if row.name == CONTROL}
    for row in measured:
        table.add_row(
            row.name,
            str(row.clients),
            f"{row.rate:,.0f}",
            f"{row.p50:.1f}",
            f"{row.p99:.1f}",
            f"{row.cpu:.3f}",
            f"{1e3 / row.cpu:,.0f}",
            f"{control[row.clients] / row.cpu:.2f}",
            f"{row.acknowledged:,}",
            f"{row.on_topic:,}",
        )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    loop, bursts = uvloop.run(rows(parser.parse_args().seconds))
    console = Console(width=130)
    console.print(table_of("callers that send their next command when the last is acknowledged", loop))
    console.print(table_of("8 KiB each, one partition, all at once (p99 = the last)", bursts))


if __name__ == "__main__":
    main()
