"""F12: one process has its clock two hours ahead, or a day behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from infra.settings import Settings
from infra.tokens import mint
from tests.faults.load import Load
from tests.faults.world import World
from tests.journeys.stack import PARTS

LIBRARIES: Final = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
needs_faketime = pytest.mark.skipif(
    not LIBRARIES, reason="not run: needs libfaketime (apt-get install libfaketime)"
)
pytestmark = [pytest.mark.long, needs_faketime]
SKEWS: Final = ("+2h", "-1d")


@contextmanager
def skewed(world: World, name: str, skew: str) -> Iterator[None]:
    """The process lives with another clock; its measure of durations stays sound."""
    variables = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": skew, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    world.stack.kill(name)
    sound = world.stack.env
    world.stack.env = sound | variables
    try:
        world.stack.start(name)
        yield
    finally:
        world.stack.env = sound
        world.stack.kill(name)
        world.stack.start(name)


def clock_of(pid: int) -> str:
    """What the process was told about its clock."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((each.decode() for each in variables if each.startswith(b"FAKETIME=")), "")


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("name", [name for name in PARTS if name != "gateway"])
async def test_f12_a_wrong_clock_disorders_and_loses_nothing(
    world: World, load: Load, name: str, skew: str
) -> None:
    with skewed(world, name, skew):
        async with load.going_on():
            await load.goes_on()
        assert clock_of(world.pids()[name]) == f"FAKETIME={skew}"
        await world.all_is_well()
    async with load.going_on():
        await load.goes_on()

    await world.all_is_well()


@pytest.mark.parametrize("skew", SKEWS)
async def test_f12_a_gateway_with_a_wrong_clock_takes_no_token_that_is_not_valid_by_it(
    world: World, skew: str
) -> None:
    token = mint("tester", settings=Settings(secrets=world.settings.secrets))

    with skewed(world, "gateway", skew):
        wrong = await delete_nothing(world, token)
    right = await delete_nothing(world, token)

    assert wrong == 401
    assert right == 202
    await world.all_is_well()


async def delete_nothing(world: World, token: str) -> int:
    """The status of a write that changes nothing."""
    path = f"/v1/picks/{os.urandom(4).hex()}-0000-4000-8000-000000000000"
    async with httpx.AsyncClient(base_url=world.stack.url, timeout=10) as http:
        return (await http.delete(path, headers={"authorization": f"Bearer {token}"})).status_code
