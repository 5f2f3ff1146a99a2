"""`up` of the stand-in stack in a process of its own, and what its record says."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from infra.local.state import StackState, living, read
from infra.local.status import look
from tests.infra.local.standin import probe
from tests.infra.local.waiting import until

ROOT = Path(__file__).parents[3]


class Up:
    """`up` of the stand-in stack in its own process."""

    started: ClassVar[list["Up"]] = []

    def __init__(self, folder: Path) -> None:
        self.started.append(self)
        self.folder = folder
        self.output = folder.parent / f"{folder.name}.{os.urandom(3).hex()}.out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.infra.local.standin", str(folder)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @classmethod
    def end_all(cls) -> None:
        """End those that still run, however a test left them."""
        while cls.started:
            process = cls.started.pop().process
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(60)

    def ready(self) -> "Up":
        """Wait until it is."""
        until(lambda: self._is_up() or self.process.poll() is not None, "up")
        assert self.process.poll() is None, self.output.read_text()
        return self

    def _is_up(self) -> bool:
        state = state_of(self.folder)
        return state["up"] and state["supervisor"]["pid"] == self.process.pid

    def end(self, number: int) -> int:
        """Send it a signal and wait for its end."""
        self.process.send_signal(number)
        return self.process.wait(60)


def state_of(folder: Path) -> StackState:
    nothing: StackState = {
        "folder": "",
        "supervisor": {"pid": 0, "started": 0},
        "gateway": "",
        "up": False,
        "parts": [],
    }
    return read(folder) or nothing


def alive(folder: Path) -> list[str]:
    return [part["name"] for part, _ in living(state_of(folder))]


def pids(folder: Path) -> dict[str, int]:
    return {part["name"]: process.pid for part, process in living(state_of(folder))}


def states(folder: Path) -> dict[str, str]:
    return {part["name"]: part["state"] for part in look(folder, probe)["parts"]}
