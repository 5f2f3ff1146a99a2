"""What runs, written down so that `status`, `down` and the next `up` know it, even after a SIGKILL of all.

A process is known by its pid and its start time together: a pid alone may belong to somebody else by now.
"""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypedDict, Unpack

import psutil

FILE: Final = "state.json"
# The start time of a process is computed from the boot time, which moves when the clock is set.
TOLERANCE: Final = 2.0
State = Literal["waiting", "starting", "running", "restarting", "stopping", "stopped", "done", "failed"]


class Pid(TypedDict):
    """A process, for certain."""

    pid: int
    started: float


class PartChange(TypedDict, total=False):
    """What can change about a part."""

    state: State
    process: Pid | None
    since: float
    restarts: int
    why: str


class PartState(TypedDict):
    """One part as the supervisor last saw it."""

    name: str
    stage: int
    port: int | None
    stop_signal: int
    once: bool
    state: State
    process: Pid | None
    since: float
    restarts: int
    why: str


class StackState(TypedDict):
    """The whole stack as the supervisor last saw it."""

    folder: str
    supervisor: Pid
    gateway: str
    up: bool
    parts: list[PartState]


def identify(pid: int) -> Pid | None:
    """Pid and start time of a living process."""
    try:
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return None


def find(known: Pid | None) -> psutil.Process | None:
    """The process that was written down, if it still lives and is the same one."""
    if known is None:
        return None
    try:
        process = psutil.Process(known["pid"])
        same = abs(process.create_time() - known["started"]) < TOLERANCE
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def read(folder: Path) -> StackState | None:
    """The state that a supervisor wrote in `folder`; None when there is none or it was copied here."""
    try:
        state: StackState = json.loads((folder / FILE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return state if state.get("folder") == str(folder) else None


def living(state: StackState) -> list[tuple[PartState, psutil.Process]]:
    """The parts of the state whose processes still live."""
    found = ((part, find(part["process"])) for part in state["parts"])
    return [(part, process) for part, process in found if process is not None]


class Board:
    """The supervisor's view, written to the file at each change."""

    def __init__(self, folder: Path, state: StackState) -> None:
        self._file = folder / FILE
        self._state = state
        self._lock = threading.Lock()
        self._write()

    def set(self, name: str, **change: Unpack[PartChange]) -> None:
        """Change one part; a new state is stamped with the time."""
        with self._lock:
            part = self._part(name)
            if change.get("state", part["state"]) != part["state"]:
                change.setdefault("since", time.time())
            part.update(change)  # type: ignore[typeddict-item]  # PartChange is a subset of PartState
            self._write()

    def get(self, name: str) -> PartState:
        """One part, as a copy."""
        with self._lock:
            return self._part(name).copy()

    def up(self) -> None:
        """Everything is ready for the first time."""
        with self._lock:
            self._state["up"] = True
            self._write()

    def _part(self, name: str) -> PartState:
        return next(part for part in self._state["parts"] if part["name"] == name)

    def _write(self) -> None:
        temporary = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk must not end the supervisor; the next change tries again
            temporary.write_text(json.dumps(self._state, indent=1))
            temporary.replace(self._file)
