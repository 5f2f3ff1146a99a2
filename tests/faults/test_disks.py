"""F13: the disk of the broker or of the database is full, until somebody makes room."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def small_disk(world: World, server: str, data: Path) -> AsyncIterator[None]:
    """The server's data lie on a file system of their own, with little room; afterwards where they were."""
    await asyncio.to_thread(shrink, world, server, data)
    try:
        yield
    finally:
        await asyncio.to_thread(put_back, world, server, data)


def shrink(world: World, server: str, data: Path) -> None:
    world.servers.kill(server)
    owner, aside = data.stat(), data.with_name("aside")
    data.rename(aside)
    data.mkdir(mode=0o700)
    used = int(subprocess.check_output(["du", "-s", "-B1", str(aside)]).split()[0])
    run("mount", "-t", "tmpfs", "-o", f"size={used + SPARE},mode=0700", "tmpfs", str(data))
    os.chown(data, owner.st_uid, owner.st_gid)
    run("cp", "-a", "--sparse=always", f"{aside}/.", str(data))
    world.servers.restart(server)


def put_back(world: World, server: str, data: Path) -> None:
    if world.servers.runs(server):
        world.servers.kill(server)
    aside = data.with_name("aside")
    run("rm", "-rf", str(aside))
    run("cp", "-a", "--sparse=always", str(data), str(aside))
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
    async with small_disk(world, server, data):
        async with load.going_on():
            await load.goes_on()
            filler = fill(data)
            await asyncio.sleep(15)
            filler.unlink()
            await asyncio.to_thread(world.servers.start)  # as the supervisor does with a server that ended
            await load.goes_on()
        await world.all_is_well()

    log = world.servers.folder / "logs" / f"{server}.log"
    assert "No space left on device" in log.read_text(errors="replace"), "the disk was not full"
    assert world.pids() == before, "a process had to be restarted"
    await world.all_is_well()
