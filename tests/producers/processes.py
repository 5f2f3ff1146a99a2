"""Relays as processes of their own, sound and rigged ones."""

import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

import psutil

from infra.local import ports
from tests.producers.world import PATIENCE, World, until

REPOSITORY = Path(__file__).parents[2]


class Process:
    """A relay as its own process."""

    def __init__(self, world: World, folder: Path, *command: str) -> None:
        self.log = folder / f"{uuid4().hex}.log"
        self.port = ports.choose(["http"])["http"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=REPOSITORY,
            env=os.environ
            | {
                "PYTHONPATH": str(REPOSITORY),
                "PICKLY_KAFKA": world.settings.kafka,
                "PICKLY_DATABASE": world.settings.database,
                "PICKLY_VALKEY": world.settings.valkey,
                "PICKLY_SECRETS": str(world.settings.secrets),
                "PICKLY_HTTP_PORT": str(self.port),
            },
            stderr=self.log.open("wb"),
        )

    @property
    def frozen(self) -> bool:
        return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(asyncio.to_thread(self._process.wait), PATIENCE)

    async def until_frozen(self) -> None:
        async def frozen() -> bool:
            return self.frozen

        await until(frozen, f"it did not freeze: {self.log.read_text()}")

    async def until_logged(self, words: str) -> None:
        async def logged() -> bool:
            return words in self.log.read_text()

        await until(logged, f"it did not log {words!r}: {self.log.read_text()}")

    async def get(self, path: str) -> tuple[int, str]:
        """Ask one of its probes; status 0 when it does not listen."""

        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://{ports.HOST}:{self.port}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                return 0, ""

        return await asyncio.to_thread(ask)

    async def until_ready(self) -> None:
        async def ready() -> bool:
            return (await self.get("/readyz"))[0] == 200

        await until(ready, f"it is not ready: {self.log.read_text()}")

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Relays:
    """Starts relays, and ends them all."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._started: list[Process] = []

    def start(self) -> Process:
        """A sound one."""
        return self._start("producers.relay")

    def rigged(self, *arguments: str) -> Process:
        """One with a fault, see `rigged_relay`."""
        return self._start("tests.producers.rigged_relay", *arguments)

    def _start(self, *command: str) -> Process:
        self._started.append(Process(self._world, self._folder, *command))
        return self._started[-1]

    def end(self) -> None:
        for process in self._started:
            process.end()
