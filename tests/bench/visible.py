"""From acknowledged to visible, in milliseconds, against the broker's own acknowledgement.

The whole platform runs, one process per group. Picks are published at a fixed rate, whatever the answers
do; as soon as one is accepted, a read of the pick with `Pickly-After` is sent: it is answered when the read
models show the pick. Measured from the 202 to that answer. The broker's acknowledgement is that of a plain
aiokafka producer with acks=all, one record at a time, 50 a second, while nothing else happens.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from itertools import count
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from infra.ops.topic_broker import admin_of
from infra.settings import Settings
from tests.bench.document import Bar, Row
from tests.bench.effort import Effort
from tests.bench.ground import bearers, platform, processes
from tests.bench.http import Answer, Connection, connect, request
from tests.journeys.stack import PARTS

NAME = "visible"
RATES = (50, 200)
ACCOUNTS = 50
CONNECTIONS = 64
PARTITIONS = 6
PATIENCE = 60.0
"""A read is answered 503 after five seconds, and asked again; that counts."""
BROKER = "the broker's own ack, p50 at 50/s"
P50, P99 = 0.5, 0.99


async def visible(config: Settings, effort: Effort) -> list[Row]:
    """Four rows: p50 and p99 at 50 and at 200 a second, all against the broker's p50."""
    acks: list[float] = []
    times: dict[int, list[list[float]]] = {rate: [] for rate in RATES}
    async with platform(config) as own:
        with processes(own) as stack:
            stack.start(*PARTS)
            people = People(stack.ports["gateway"], bearers(own, ACCOUNTS))
            await people.publish(RATES[0], effort.seconds / 2)
            for _ in range(effort.repetitions):
                acks.append(_share(await _acks(own, RATES[0], effort.seconds), P50))
                for rate in RATES:
                    times[rate].append(await people.publish(rate, effort.seconds * 1.6))
    return [row for rate in RATES for row in _rows(rate, times[rate], acks)]


def _rows(rate: int, rounds: list[list[float]], acks: list[float]) -> list[Row]:
    bars = (Bar(at_most=20), Bar(at_most=60)) if rate == RATES[0] else (None, None)
    everything = sorted(time for each in rounds for time in each)
    return [
        Row.of(
            NAME,
            f"acknowledged to visible, {name} at {rate}/s",
            BROKER,
            "milliseconds",
            [_share(each, share) for each in rounds],
            acks,
            bar,
            **{f"{name} of all rounds ms": _share(everything, share), "commands": len(everything)},
        )
        for name, share, bar in (("p50", P50, bars[0]), ("p99", P99, bars[1]))
    ]


def _share(times: list[float], share: float) -> float:
    """The time that this share of sorted times does not exceed."""
    return times[min(len(times) - 1, int(len(times) * share))]


async def at_rate(rate: int, seconds: float, act: Callable[[], Coroutine[None, None, float]]) -> list[float]:
    """Begin `act` at a fixed rate, whether or not earlier ones have ended; what they return, sorted."""
    began, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(act()))
    return sorted(await asyncio.gather(*tasks))


async def _acks(own: Settings, rate: int, seconds: float) -> list[float]:
    """Milliseconds from `send` to the broker's acknowledgement, on a topic that nobody reads, sorted."""
    topic = f"bench.acks.{uuid4().hex[:8]}"
    async with admin_of(own.kafka) as admin:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    numbers = count()
    async with AIOKafkaProducer(bootstrap_servers=own.kafka, acks="all") as producer:

        async def send() -> float:
            began = time.perf_counter()
            await producer.send_and_wait(topic, b"x" * 300, partition=next(numbers) % PARTITIONS)
            return (time.perf_counter() - began) * 1e3

        for _ in range(PARTITIONS):
            await send()
        times = await at_rate(rate, seconds, send)
    async with admin_of(own.kafka) as admin:
        await admin.delete_topics([topic])
    return times


class People:
    """Clients of the gateway, each with a connection for one request at a time."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._port = port
        self._tokens = tokens
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()
        self._numbers = count()

    async def publish(self, rate: int, seconds: float) -> list[float]:
        """Publish new picks; milliseconds from each 202 until the pick is visible, sorted.

        Connections are made for it, for the gateway closes those that are idle for a few seconds.
        """
        connections = [await connect(self._port) for _ in range(CONNECTIONS)]
        for connection in connections:
            self._idle.put_nowait(connection)
        times = await at_rate(rate, seconds, self._publish)
        for _ in connections:
            self._idle.get_nowait().close()
        return times

    async def _publish(self) -> float:
        number = next(self._numbers)
        authorization = f"Bearer {self._tokens[number % len(self._tokens)]}"
        thing = {"ref": f"movielens:{number}", "kind": "film", "title": "Solaris (1972)"}
        body = orjson.dumps({"thing": thing, "note": "The ocean looks back.", "rating": 4.5})
        accepted = await self._ask(request("POST", "/v1/picks", body, authorization=authorization))
        began = time.perf_counter()
        document = orjson.loads(accepted.body)
        if accepted.status != 202:
            raise RuntimeError(f"the gateway answered {accepted.status}: {document}")
        after = {"authorization": authorization, "pickly_after": document["command_id"]}
        while (shown := await self._ask(request("GET", document["resource"], **after))).status != 200:
            if shown.status != 503 or time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"the pick is not visible: {shown.status} {shown.body!r}")
        return (time.perf_counter() - began) * 1e3

    async def _ask(self, raw: bytes) -> Answer:
        connection = await self._idle.get()
        try:
            return await connection.ask(raw)
        finally:
            self._idle.put_nowait(connection)
