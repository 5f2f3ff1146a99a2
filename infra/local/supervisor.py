"""Starts parts stage by stage, starts one that ends again after a growing pause, and stops what it started.

One thread per part waits for its process, so that an idle stack costs no processor time.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby
from pathlib import Path
from typing import Final

from infra.console import Console
from infra.local import ports
from infra.local.errors import StackError
from infra.local.healing import NAME as HEALING
from infra.local.healing import Care, Healer
from infra.local.parts import Part, exit_text, launch, log_text, rotate, stop_child, wait_ready
from infra.local.state import Board, PartState, identify

FIRST_TRIES: Final = 3
START_SECONDS: Final = 180
STEADY_SECONDS: Final = 60
BACK_OFF: Final = (0.5, 30.0)


class Keeper(threading.Thread):
    """Keeps one part running until told to stop."""

    def __init__(
        self, part: Part, board: Board, console: Console, back_off: tuple[float, float], healer: Healer | None
    ) -> None:
        super().__init__(name=part.name, daemon=True)
        self.part = part
        self.first: Future[float] = (
            Future()
        )  # seconds to the first readiness, or the StackError that ends `up`
        self.process: subprocess.Popen[bytes] | None = None
        self._board = board
        self._console = console
        self._back_off = back_off
        self._healer = healer
        self._stopping = threading.Event()
        self._launching = threading.Lock()
        self._failures = 0

    def run(self) -> None:
        """Start, wait for the end, pause, again."""
        try:
            self._keep()
        except Exception as error:
            if self.first.done():
                raise
            self.first.set_exception(error)

    def _keep(self) -> None:
        began = time.monotonic()
        while not self._stopping.is_set():
            ended = self._live(began)
            if self.part.once and ended is None:
                return
            self._after_end(ended or f"{self.part.name} ended")

    def _live(self, began: float) -> str | None:
        """One life of the part: why it ended, or None when it has done its work."""
        try:
            process = self._start()
            if self.part.once:
                self._run_once(process, began)
                return None
            wait_ready(self.part, process, START_SECONDS, self._waits_for_healing)
            self.part.finish()
        except Exception as error:  # hooks and probes may raise anything, and the part must be tried again
            self._end_half_started()
            return str(error) if isinstance(error, StackError) else f"{self.part.name}: {error!r}"
        self._board.set(self.part.name, state="running", why="")
        ready_at = time.monotonic()
        if self.first.done():
            self._console.good(f"{self.part.name} runs again")
        else:
            self.first.set_result(ready_at - began)
        code = process.wait()
        if time.monotonic() - ready_at > STEADY_SECONDS:
            self._failures = 0
        return f"{self.part.name} ended {exit_text(code)}"

    def _start(self) -> subprocess.Popen[bytes]:
        self._board.set(self.part.name, state="restarting" if self._failures else "starting")
        self.part.prepare()
        if self.part.port is not None:
            ports.require_free(self.part.name, self.part.port)
        rotate(self.part.log)
        with self._launching:
            if self._stopping.is_set():
                raise StackError(f"{self.part.name} was told to stop while it started")
            self.process = launch(self.part)
            self._board.set(self.part.name, process=identify(self.process.pid))
        return self.process

    def _waits_for_healing(self) -> bool:
        """Whether a read model is being built anew, before which a process of ours is not ready."""
        return self._healer is not None and self._healer.busy

    def _run_once(self, process: subprocess.Popen[bytes], began: float) -> None:
        code = process.wait()
        self._board.set(self.part.name, process=None)
        if code != 0:
            raise StackError(f"{self.part.name} ended {exit_text(code)}.\n{log_text(self.part)}")
        self._board.set(self.part.name, state="done")
        self.first.set_result(time.monotonic() - began)

    def _end_half_started(self) -> None:
        if self.process is not None and self.process.poll() is None:
            stop_child(self.process, self.part)

    def _after_end(self, why: str) -> None:
        if self._stopping.is_set():
            return
        self._failures += 1
        if not self.first.done() and (self.part.once or self._failures >= FIRST_TRIES):
            self._board.set(self.part.name, state="stopped", process=None, why=why)
            self.first.set_exception(StackError(why))
            self._stopping.set()
            return
        low, high = self._back_off
        pause = min(low * 2 ** (self._failures - 1), high)
        restarts = self._board.get(self.part.name)["restarts"] + 1
        self._board.set(self.part.name, state="restarting", process=None, restarts=restarts, why=why)
        self._console.warn(f"{why.splitlines()[0].rstrip('.')}: again in {pause:.1f} s")
        self._stopping.wait(pause)

    def stop(self) -> None:
        """End the part gracefully and its thread with it."""
        self._stopping.set()
        with self._launching:
            process = self.process
        if process is not None and process.poll() is None:
            self._board.set(self.part.name, state="stopping")
            if stop_child(process, self.part):
                self.part.stopped()
        if self.is_alive():
            self.join(self.part.stop_seconds)
        self._board.set(self.part.name, state="stopped", process=None)


class Supervisor:
    """All parts of a stack, in stages."""

    def __init__(
        self,
        folder: Path,
        parts: Sequence[Part],
        console: Console,
        gateway: str = "",
        back_off: tuple[float, float] = BACK_OFF,
        care: Care | None = None,
    ) -> None:
        """With `care`, what stands still is healed as soon as the programs that run once have run."""
        own = identify(os.getpid())
        if own is None:
            raise StackError("the supervisor's own process is not visible: is /proc mounted?")
        self._board = Board(
            folder,
            {
                "folder": str(folder),
                "supervisor": own,
                "gateway": gateway,
                "up": False,
                "parts": [*map(_waiting, parts), *([_HEALING] if care else [])],
            },
        )
        self._console = console
        self._healer = Healer(care, self._board, console) if care else None
        self._keepers = [Keeper(part, self._board, console, back_off, self._healer) for part in parts]
        self.stop_asked = threading.Event()

    def start(self) -> bool:
        """Start stage by stage; False when told to stop meanwhile, StackError when a part cannot start."""
        for _, keepers in groupby(self._keepers, key=lambda keeper: keeper.part.stage):
            stage = list(keepers)
            if self._healer is not None and not self._healer.is_alive() and self._once_are_done():
                self._healer.start()
            for keeper in stage:
                keeper.start()
            if not self._wait(stage):
                return False
        self._board.up()
        return True

    def _once_are_done(self) -> bool:
        return all(keeper.first.done() for keeper in self._keepers if keeper.part.once)

    def _wait(self, stage: list[Keeper]) -> bool:
        waiting = {keeper.first: keeper.part.name for keeper in stage}
        while waiting and not self.stop_asked.is_set():
            for future in wait(waiting, timeout=0.1, return_when="FIRST_COMPLETED").done:
                self._console.good(f"{waiting.pop(future):<12} {future.result():5.1f} s")
        return not waiting

    def stop(self) -> None:
        """Stop what runs, the last stage first, the parts of a stage side by side."""
        if self._healer is not None:
            self._healer.stop()
        for _, keepers in groupby(reversed(self._keepers), key=lambda keeper: keeper.part.stage):
            with ThreadPoolExecutor() as pool:
                stops = {keeper.part.name: pool.submit(keeper.stop) for keeper in keepers}
            for name, stop in stops.items():  # one that cannot be stopped does not keep the others running
                if error := stop.exception():
                    self._console.bad(f"{name} could not be stopped: {error!r}")


def _waiting(part: Part) -> PartState:
    return {
        "name": part.name,
        "stage": part.stage,
        "port": part.port,
        "stop_signal": int(part.stop_signal),
        "once": part.once,
        "state": "waiting",
        "process": None,
        "since": time.time(),
        "restarts": 0,
        "why": "",
    }


_HEALING: Final[PartState] = {
    "name": HEALING,
    "stage": 0,
    "port": None,
    "stop_signal": int(signal.SIGTERM),
    "once": True,
    "state": "done",
    "process": None,
    "since": 0.0,
    "restarts": 0,
    "why": "",
}
"""Healing in the record: hidden, since `done`, until something is healed."""
