"""A part of the stack: how one program is prepared, started, known to be ready, and stopped."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypedDict

import psutil

from infra.local.errors import StackError

POLL: Final = 0.1
SIGNAL_SECONDS: Final = 0.5
LOG_BYTES: Final = 32 * 2**20


def nothing() -> None:
    """The hook of a part that needs none."""


def always_ready() -> str | None:
    """The probe of a part that is ready as soon as it runs."""
    return None


Account = tuple[int, int]  # uid and gid


class Identity(TypedDict, total=False):
    """The arguments of subprocess that make a program run as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


def identity(account: Account | None) -> Identity:
    """How subprocess is told to run as `account`; None = as the caller."""
    return {} if account is None else {"user": account[0], "group": account[1], "extra_groups": []}


@dataclass(frozen=True)
class Part:
    """One program of the stack, as data."""

    name: str
    command: Callable[[], Sequence[str]]
    folder: Path  # its working directory
    log: Path
    ready: Callable[[], str | None] = always_ready  # None, or why it is not ready
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None  # another user to run as
    prepare: Callable[[], None] = nothing  # before each start
    finish: Callable[[], None] = nothing  # when it answers, before it counts as ready
    stopped: Callable[[], None] = nothing  # after a clean stop
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 20
    stage: int = 0  # parts of one stage start together, after those of lower stages
    once: bool = False  # runs to its end instead of staying


def launch(part: Part) -> subprocess.Popen[bytes]:
    """Start the program in a session of its own, so that Ctrl-C in the terminal reaches only its starter."""
    part.folder.mkdir(parents=True, exist_ok=True)
    part.log.parent.mkdir(parents=True, exist_ok=True)
    with part.log.open("wb" if part.once else "ab") as log:
        try:
            return subprocess.Popen(
                list(part.command()),
                cwd=part.folder,
                env={**os.environ, **part.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity(part.account),
            )
        except OSError as error:
            raise StackError(f"{part.name} could not be started: {error}. {_what_to_do(error)}") from None


def _what_to_do(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "A package of the stack is incomplete: delete .pickly/venv and run ./pickly up again."
    return "Check permissions and free memory, then try again."


def tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants, those that still exist."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a process and its descendants (PostgreSQL's backends are sessions of their own)."""
    for process in tree(pid):
        _send(process, number)


def has_ended(process: psutil.Process) -> bool:
    """Whether it is gone, or a zombie whose parent has not looked yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def stop_process(process: psutil.Process, number: int, seconds: float) -> bool:
    """Stop a process gracefully, it and its descendants by force after `seconds`; whether it went by itself.
    Never waits for it as a child would be waited for: another thread may do that at the same time."""
    family = tree(process.pid)
    deadline = time.monotonic() + seconds
    signal_tree(process.pid, signal.SIGCONT)
    _send(process, number)
    while not has_ended(process):
        if time.monotonic() > deadline:
            for member in {*family, *tree(process.pid)}:
                _send(member, signal.SIGKILL)
            return False
        time.sleep(POLL)
    return True


def stop_child(child: subprocess.Popen[bytes], part: Part) -> bool:
    """Stop a process that this one started, as its part wants it; whether it went by itself."""
    try:
        process = psutil.Process(child.pid)
    except psutil.NoSuchProcess:  # another thread has just waited for it
        return True
    return stop_process(process, part.stop_signal, part.stop_seconds)


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def rotate(log: Path) -> None:
    """Set a log aside when it has grown large; one older one is kept."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, indented for an error message."""
    if not log.exists():
        return "  (no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        text = file.read().decode(errors="replace")
    return "\n".join(f"  | {line[:300]}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"


def wait_ready(
    part: Part, process: subprocess.Popen[bytes], seconds: float, patient: Callable[[], bool] = lambda: False
) -> None:
    """Return when the part answers; StackError with the end of its log when it ends or stays silent.

    While `patient` says so, its silence is not counted.
    """
    deadline = time.monotonic() + seconds
    while (why := part.ready()) is not None:
        code = process.poll()
        if code is not None:
            raise StackError(f"{part.name} ended {exit_text(code)} while starting.\n{log_text(part)}")
        if patient():
            deadline = time.monotonic() + seconds
        if time.monotonic() > deadline:
            raise StackError(f"{part.name} does not answer after {seconds:.0f} s ({why}).\n{log_text(part)}")
        time.sleep(POLL)


def exit_text(code: int) -> str:
    """An exit code for people."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def wait_for(event: threading.Event) -> None:
    """Wait in the main thread for what a signal handler sets. Not in one endless wait: a signal that another
    thread received does not wake the main thread, which alone runs Python's handlers."""
    while not event.wait(SIGNAL_SECONDS):
        continue


def log_text(part: Part) -> str:
    """Where the log is and how it ends."""
    text = tail(part.log)
    full = "\nThe disk is full: make room, then run ./pickly up." if "No space left" in text else ""
    return f"Its log {part.log} ends:\n{text}{full}"
