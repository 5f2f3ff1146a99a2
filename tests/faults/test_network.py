"""F11: a network that is slow, lossy and silent for half a minute, before each server."""

import asyncio

import pytest

from tests.faults.load import Load
from tests.faults.proxy import Proxy, Weather
from tests.faults.world import World

STORMY = Weather(latency=0.02, jitter=0.08, bandwidth=2_000_000)
SILENT = Weather(black_hole=True)


@pytest.mark.parametrize("server", ["kafka", "postgres", "valkey"])
@pytest.mark.parametrize(
    ("silence", "resets"),
    [
        pytest.param(3, 2, id="short"),
        pytest.param(30, 10, id="long", marks=pytest.mark.long),
    ],
)
async def test_f11_the_network_is_slow_cut_again_and_again_and_silent(
    world: World, load: Load, server: str, silence: int, resets: int
) -> None:
    before, proxy = world.pids(), world.proxies[server]
    async with load.going_on():
        await load.goes_on(20)
        await storm(proxy, load, resets)
        proxy.weather = SILENT
        await asyncio.sleep(silence)
        proxy.weather = Weather()
        await load.goes_on(20)

    await world.all_is_well()
    assert load.answers[0] == 0, "a write was left without an answer"
    assert world.pids() == before, "a process had to be restarted"


async def storm(proxy: Proxy, load: Load, resets: int) -> None:
    """Slow, and what is lost is lost with its connection, as when TCP gives up repeating."""
    proxy.weather = STORMY
    for _ in range(resets):
        await load.goes_on(3)
        proxy.reset()
