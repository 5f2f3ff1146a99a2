"""F3, F4, F5, F7: the broker, the database and Valkey die, freeze and fall silent under load."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.faults.load import Load
from tests.faults.world import World, until

Report = Callable[[str, object], None]


async def test_f3_the_broker_is_killed_under_load(world: World, load: Load, record_property: Report) -> None:
    before = world.pids()
    async with load.going_on():
        await load.goes_on()
        world.servers.kill("kafka")
        await until(lambda: load.answers[503] > 0, "a write is answered 503")
        await asyncio.to_thread(world.servers.restart, "kafka")
        await load.goes_on()

    await world.all_is_well()
    record_property("slowest answer, seconds", load.slowest)
    assert load.answers[0] == 0, "a write was left without an answer"
    assert world.pids() == before, "a process had to be restarted"


@pytest.mark.parametrize("seconds", [4, pytest.param(20, marks=pytest.mark.long)])
async def test_f4_the_broker_is_frozen_under_load(
    world: World, load: Load, seconds: int, record_property: Report
) -> None:
    before = world.pids()
    async with load.going_on():
        await load.goes_on()
        world.servers.pause("kafka")
        await asyncio.sleep(seconds)
        world.servers.resume("kafka")
        await load.goes_on()

    await world.all_is_well()
    record_property("slowest answer, seconds", load.slowest)
    assert load.answers[503] > 0
    assert load.answers[0] == 0, "a write was left without an answer"
    assert world.pids() == before, "a process had to be restarted"


async def test_f5_the_database_is_killed_under_load(world: World, load: Load) -> None:
    before = world.pids()
    async with load.going_on():
        await load.goes_on()
        world.servers.kill("postgres")
        read = await latest(world)
        await load.goes_on()  # a write needs the broker only
        await asyncio.to_thread(world.servers.restart, "postgres")
        await load.goes_on()

    await world.all_is_well()
    assert read.status_code == 503
    assert (await latest(world)).status_code == 200
    assert world.pids() == before, "a process had to be restarted"


async def test_f7_valkey_forgets_dies_and_falls_silent_under_load(world: World, load: Load) -> None:
    before = world.pids()
    async with load.going_on():
        for trouble in (forgets, dies, falls_silent):
            await load.goes_on(30)
            await trouble(world)
            await load.goes_on(30)
            assert (await latest(world)).status_code == 200
            world.proxies["valkey"].change(black_hole=False)
            await asyncio.to_thread(world.servers.start)

    await world.all_is_well()
    assert load.answers.keys() <= {200, 202, 429}, load.answers
    assert world.pids() == before, "a process had to be restarted"


async def forgets(world: World) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(world.settings.valkey, password=world.settings.secret("valkey")) as valkey:
        await valkey.flushall()


async def dies(world: World) -> None:
    world.servers.kill("valkey")


async def falls_silent(world: World) -> None:
    world.proxies["valkey"].change(black_hole=True)


async def latest(world: World) -> httpx.Response:
    """A read that anybody may ask for."""
    async with httpx.AsyncClient(base_url=world.stack.url, timeout=10) as http:
        return await http.get("/v1/feeds/latest?limit=5")
