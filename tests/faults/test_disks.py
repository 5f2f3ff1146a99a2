"""F13: the disk of the broker or of the database is full, until somebody makes room."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.load import Load
from tests.faults.world import World, data_of_postgres

SPARE = 48 * 2**20
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="not run: needs root"),
]


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def small_disk(world: World, server: str, data: Path) -> Iterator[None]:
    """The server's data lie on a file system of their own, with little room; afterwards where they were."""
    aside = data.with_name("aside")
    world.servers.kill(server)
    data.rename(aside)
    data.mkdir()
    used = int(subprocess.check_output(["du", "-s", "-B1", str(aside)]).split()[0])
    run("mount", "-t", "tmpfs", "-o", f"size={used + SPARE}", "tmpfs", str(data))
    try:
        run("cp", "-a", "--sparse=always", f"{aside}/.", str(data))
        world.servers.restart(server)
        yield
        if world.servers.runs(server):
            world.servers.kill(server)
        run("rm", "-rf", str(aside))
        run("cp", "-a", "--sparse=always", str(data), str(aside))
    finally:
        run("umount", str(data))
        data.rmdir()
        aside.rename(data)
    world.servers.restart(server)


def fill(folder: Path) -> Path:
    """Leave no room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError:
            return filler


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_f13_a_full_disk_is_an_outage_that_ends_when_there_is_room(
    world: World, load: Load, server: str
) -> None:
    data = world.servers.folder / "kafka/data" if server == "kafka" else data_of_postgres(world.servers)
    before = world.pids()
    with small_disk(world, server, data):
        async with load.going_on():
            await load.goes_on()
            filler = fill(data)
            await asyncio.sleep(15)
            filler.unlink()
            await asyncio.to_thread(world.servers.start)  # as the supervisor does with a server that ended
            await load.goes_on()
        await world.all_is_well()

    assert world.pids() == before, "a process had to be restarted"
    await world.all_is_well()
