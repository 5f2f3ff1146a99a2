"""The gateway's sender alone: commands per CPU second of its group commit, against aiokafka's `send`.

Both in this process on uvloop, building the command included; so many callers, each of which sends its next
command when the last is acknowledged with acks=all.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from infra.partitions import partition_of
from infra.settings import Settings
from producers.send import DEADLINE, Sender
from schemas.envelope import Meta
from schemas.picks import DeletePick
from schemas.topics import PICK_COMMANDS
from tests.bench import cpu
from tests.bench.document import Row
from tests.bench.effort import Effort
from tests.bench.ground import empty_topics
from tests.producers.reading import ends

NAME = "sender"
CALLERS = (1, 32, 512)
Send = Callable[[DeletePick, Meta], Awaitable[object]]


async def sender(config: Settings, effort: Effort) -> list[Row]:
    """A row for each number of callers, reported only."""
    await empty_topics(config)
    ours: dict[int, list[float]] = {callers: [] for callers in CALLERS}
    theirs: dict[int, list[float]] = {callers: [] for callers in CALLERS}
    group_commit = Sender(config)
    await group_commit.start()
    async with AIOKafkaProducer(
        bootstrap_servers=config.kafka, acks="all", request_timeout_ms=3000
    ) as producer:

        async def each(command: DeletePick, meta: Meta) -> None:
            await _send(producer, command, meta)

        for _ in range(effort.repetitions):
            for callers in CALLERS:
                theirs[callers].append(await _measure(config, each, callers, effort.seconds / 3))
                ours[callers].append(await _measure(config, group_commit.send, callers, effort.seconds / 3))
    await group_commit.stop()
    return [
        Row.of(
            NAME,
            f"the sender's group commit, {callers} at a time",
            "aiokafka, a send per command",
            "commands per CPU second",
            ours[callers],
            theirs[callers],
        )
        for callers in CALLERS
    ]


async def _send(producer: AIOKafkaProducer, command: DeletePick, meta: Meta) -> None:
    """With the deadline that a caller needs."""
    async with asyncio.timeout(DEADLINE):
        await producer.send_and_wait(
            PICK_COMMANDS.name,
            command.body(),
            key=command.key.encode(),
            partition=partition_of(command.key, PICK_COMMANDS),
            headers=[(name, value.encode()) for name, value in meta.headers().items()],
        )


async def _measure(config: Settings, send: Send, callers: int, seconds: float) -> float:
    """Commands per CPU second; raises when the topic did not grow by what was acknowledged."""
    before = sum((await ends(config, PICK_COMMANDS)).values())
    acknowledged, end = 0, time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal acknowledged
        while time.perf_counter() < end:
            command = DeletePick(pick_id=uuid4(), author_id=uuid4())
            await send(command, Meta(uuid4(), "DeletePick", datetime.now(UTC), command.about, actor=uuid4()))
            acknowledged += 1

    spent = cpu.spent(os.getpid())
    await asyncio.gather(*(caller() for _ in range(callers)))
    spent = cpu.spent(os.getpid()) - spent
    grown = sum((await ends(config, PICK_COMMANDS)).values()) - before
    if grown != acknowledged:
        raise RuntimeError(f"{acknowledged} commands were acknowledged, and the topic grew by {grown}")
    return acknowledged / spent
