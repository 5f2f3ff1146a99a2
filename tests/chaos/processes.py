"""Every process of ours as an operating-system process of its own, kept running whatever strikes it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from infra.local import ports
from infra.local.parts import Part, launch, stop_child, wait_ready
from infra.local.ports import HOST
from infra.local.probe import over_http
from infra.local.servers import REPOSITORY
from infra.roles import PROJECTIONS
from tests.chaos.plan import DECIDERS
from tests.chaos.points import CONSUMER, RELAY, Point
from tests.chaos.tally import Tally
from tests.chaos.threads import in_thread

FROZEN_SECONDS: Final = 11.0
"""Longer than a group's session (6 s), a silent connection (3 and 8 s) and a relay's transaction (10 s)."""
LOOK: Final = 0.2
START_SECONDS: Final = 120.0
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{group}-{n}": ("consumers", group) for group in DECIDERS for n in (1, 2)},
    **{group: ("consumers", group) for group in PROJECTIONS},
    "identity": ("consumers", "auth", "auth_refresh"),
    "relay-1": ("producers.relay",),
    "relay-2": ("producers.relay",),
    "clock": ("producers.clock",),
    "gateway": ("gateway",),
}


@dataclass(frozen=True)
class Rig:
    """What is planted into consumers and relays. `points` go to the processes that pass them."""

    seed: int = 0
    points: Sequence[Point] = ()
    control: str | None = None

    def command(self, name: str, module: Sequence[str], life: int, calm: Path) -> list[str]:
        """The arguments of Python that run `module`, rigged where there is something to rig."""
        passed = {"consumers": CONSUMER, "producers.relay": RELAY}.get(module[0], {})
        points = [point for point in self.points if point.name in passed]
        if not passed or not (points or self.control):
            return ["-m", *module]
        planted = [word for point in points for word in ("--point", str(point))]
        control = ["--control", self.control] if self.control else []
        seed = f"{self.seed}/{name}/{life}"
        return ["-m", "tests.chaos.rigged", "--seed", seed, "--calm", str(calm), *planted, *control, *module]


class Processes:
    """Starts them, kills and freezes them, and goes on with the dead and the frozen until `calm_down`."""

    def __init__(self, folder: Path, env: Mapping[str, str], rig: Rig, tally: Tally) -> None:
        self._folder = folder
        self._env = env
        self._rig = rig
        self._tally = tally
        self._calm = folder / "calm"
        self._ports = ports.choose(NAMES, span=ports.TESTS)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._frozen: dict[str, float] = {}
        self._doomed: set[int] = set()
        self._lives: Counter[str] = Counter()
        self.frozen_seconds = FROZEN_SECONDS

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{HOST}:{self._ports['gateway']}"

    def start(self, names: Sequence[str] = tuple(NAMES), env: Mapping[str, str] | None = None) -> None:
        """Start processes at once; returns when all are ready, raises StackError when one is not. `env`
        holds for them alone."""
        parts = {name: self._launch(name, env) for name in names}
        for name, part in parts.items():
            wait_ready(part, self._running[name], START_SECONDS)

    def _launch(self, name: str, env: Mapping[str, str] | None = None) -> Part:
        module = NAMES.get(name) or ("consumers", name.partition("+")[0])
        arguments = self._rig.command(name, module, self._lives[name], self._calm)
        port = self._ports.get(name, 0)
        part = Part(
            name=name,
            command=lambda: [sys.executable, *arguments],
            folder=REPOSITORY,
            log=self._folder / f"{name}.log",
            ready=lambda: over_http(port),
            env={
                **self._env,
                **(env or {}),
                "PICKLY_PROCESS": name,
                "PICKLY_LOG_LEVEL": "WARNING",
                "PYTHONPATH": str(REPOSITORY),
                "PICKLY_GATEWAY_PORT" if name == "gateway" else "PICKLY_HTTP_PORT": str(port),
            },
        )
        self._lives[name] += 1
        self._running[name] = launch(part)
        return part

    def pid(self, name: str) -> int:
        """The process id of a process that was started."""
        return self._running[name].pid

    def name_of(self, pid: int) -> str | None:
        """Whose process id that is."""
        return next((name for name, process in self._running.items() if process.pid == pid), None)

    def kill(self, name: str) -> None:
        """SIGKILL, frozen or not; `keep` starts it again."""
        process = self._running[name]
        if process.poll() is None:
            self._doomed.add(process.pid)
            process.kill()
            self._tally.killed(name, "plan")

    def freeze(self, name: str) -> None:
        """SIGSTOP; `keep` continues it after `frozen_seconds`. Nothing when it is frozen or dead."""
        process = self._running[name]
        if process.poll() is None and name not in self._frozen:
            self._frozen[name] = time.monotonic()
            os.kill(process.pid, signal.SIGSTOP)
            self._tally.frozen(name, "plan")

    async def visit(self, group: str, seconds: float) -> None:
        """Another member joins the group and leaves again."""
        name = f"{group}+"
        self._launch(name)
        visitor = self._running.pop(name)
        try:
            await asyncio.sleep(seconds)
        finally:
            visitor.send_signal(signal.SIGTERM)
            await in_thread(_wait, visitor)

    async def keep(self) -> None:
        """Start the dead again and continue the frozen, for ever."""
        while True:
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    self._revive(name, process)
                else:
                    self._mind(name, process)
            await asyncio.sleep(LOOK)

    def _revive(self, name: str, process: subprocess.Popen[bytes]) -> None:
        code = process.returncode
        self._frozen.pop(name, None)
        if process.pid not in self._doomed:
            if code == -signal.SIGKILL:
                self._tally.killed(name, "fail point")
            else:
                self._tally.others[f"{name} ended with {code}"] += 1
                self._tally.say(f"ended    {name} with {code}")
        self._launch(name)
        self._tally.restarted(name)

    def _mind(self, name: str, process: subprocess.Popen[bytes]) -> None:
        if name not in self._frozen:
            if _stopped(process.pid):
                self._frozen[name] = time.monotonic()
                self._tally.frozen(name, "fail point")
        elif time.monotonic() - self._frozen[name] > self.frozen_seconds:
            self._thaw(name)

    def _thaw(self, name: str) -> None:
        del self._frozen[name]
        with suppress(ProcessLookupError):
            os.kill(self.pid(name), signal.SIGCONT)

    async def calm_down(self) -> None:
        """No fail point strikes any more; returns when the frozen have thawed, each in its time."""
        self._calm.touch()
        while self._frozen or any(_stopped(p.pid) for p in self._running.values()):  # noqa: ASYNC110 - polls
            await asyncio.sleep(LOOK)

    async def retire(self, name: str) -> None:
        """Stop one for good, while the others are kept running."""
        await in_thread(self._stop, name, self._running.pop(name))

    def stop(self) -> None:
        """Stop all as `./pickly down` would, and by force who does not listen."""
        leaving, self._running = self._running, {}
        with ThreadPoolExecutor(max_workers=len(NAMES)) as pool:
            list(pool.map(self._stop, leaving, leaving.values()))

    def _stop(self, name: str, process: subprocess.Popen[bytes]) -> None:
        stop_child(process, Part(name, command=list, folder=self._folder, log=self._folder / f"{name}.log"))
        process.wait()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False
