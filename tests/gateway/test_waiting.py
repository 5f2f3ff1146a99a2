"""Waiting is one shared look for all who wait, and nobody looks when nobody waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from gateway.config import GatewaySettings
from gateway.problems import ProblemError
from gateway.reads.database import Database, open_database
from gateway.standing import Evidence
from gateway.waiting import Waiter
from infra.settings import Settings
from infra.wake import Waker
from tests.gateway.mesh import Mesh
from tests.gateway.people import until
from tests.gateway.tables import At


class Counting:
    """The database, counting statements and the ids that were asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked: list[Sequence[UUID]] = []

    async def fetch(self, query: str, *arguments: Any) -> Any:
        if "mesh.decisions" in query:
            self.asked.append(arguments[0])
        return await self._database.fetch(query, *arguments)


@pytest.fixture
async def database(servers: Settings) -> AsyncIterator[Counting]:
    async with open_database(servers, GatewaySettings()) as database:
        yield Counting(database)


@pytest.fixture
async def waiter(database: Counting) -> AsyncIterator[Waiter]:
    waiter = Waiter(cast(Database, database), GatewaySettings(waiters=200))
    task = asyncio.create_task(waiter.run())
    yield waiter
    task.cancel()


def decided(command_id: UUID) -> Any:
    """Whether the evidence has the decision."""
    return lambda evidence: command_id in evidence.decisions


async def test_who_waits_is_told_when_it_has_happened(waiter: Waiter, mesh: Mesh) -> None:
    command_id = uuid4()
    waiting = asyncio.create_task(waiter.until(command_id, decided(command_id), 30, patient=False))
    await asyncio.sleep(0)

    await mesh.decide(command_id)

    assert command_id in (await waiting).decisions


async def test_a_hundred_who_wait_share_each_look(waiter: Waiter, database: Counting, mesh: Mesh) -> None:
    commands = [uuid4() for _ in range(100)]
    waiting = [asyncio.create_task(waiter.until(c, decided(c), 30, patient=False)) for c in commands]
    await until(lambda: any(len(ids) == 100 for ids in database.asked))

    for command_id in commands:
        await mesh.decide(command_id)
    await asyncio.gather(*waiting)

    assert {len(ids) for ids in database.asked} > {100}
    assert all(len(ids) == len(set(ids)) for ids in database.asked)


async def test_nobody_looks_when_nobody_waits(waiter: Waiter, database: Counting) -> None:
    await waiter.look(uuid4())
    asked = len(database.asked)

    for _ in range(20):
        waiter.wake("read_picks")
        await asyncio.sleep(0.01)

    assert len(database.asked) == asked


async def test_when_the_time_is_over_the_last_evidence_comes_back(waiter: Waiter, mesh: Mesh) -> None:
    command_id = uuid4()
    await mesh.decide(command_id, events=[At("pick.events", 0, 5)])

    evidence = await waiter.until(command_id, lambda _: False, 0.3, patient=False)

    assert evidence.decisions[command_id].events[0].offset == 5


async def test_a_wake_up_through_valkey_reaches_the_waiter(servers: Settings, database: Counting) -> None:
    woken = asyncio.Event()
    waker = Waker(servers)
    listening = asyncio.create_task(waker.listen(lambda _: woken.set()))

    async with asyncio.timeout(30):
        while not woken.is_set():
            await waker.wake("read_picks")
            await asyncio.sleep(0.02)

    listening.cancel()
    await waker.close()


async def test_a_waiting_room_that_is_full_says_so_at_once(database: Counting) -> None:
    waiter = Waiter(cast(Database, database), GatewaySettings(waiters=1))
    first = asyncio.create_task(waiter.until(uuid4(), lambda _: False, 30, patient=False))
    await asyncio.sleep(0)

    with pytest.raises(ProblemError, match="busy"):
        await waiter.until(uuid4(), lambda _: True, 30, patient=False)

    first.cancel()


async def test_a_stop_lets_everybody_go(waiter: Waiter) -> None:
    waiting = asyncio.create_task(waiter.until(uuid4(), lambda _: False, 30, patient=True))
    await asyncio.sleep(0)

    waiter.stop()

    assert (await waiting).decisions == {}
    assert (await waiter.until(uuid4(), lambda _: False, 30, patient=True)).decisions == {}


async def test_without_a_database_only_the_patient_wait(servers: Settings) -> None:
    nowhere = servers.model_copy(update={"database": "postgresql://127.0.0.1:1/pickly"})
    async with open_database(nowhere, GatewaySettings()) as database:
        waiter = Waiter(database, GatewaySettings())
        task = asyncio.create_task(waiter.run())

        with pytest.raises(ProblemError, match="unavailable"):
            await waiter.until(uuid4(), lambda _: True, 30, patient=False)
        evidence = await waiter.until(uuid4(), lambda _: True, 0.5, patient=True)

        task.cancel()
    assert evidence == Evidence()
