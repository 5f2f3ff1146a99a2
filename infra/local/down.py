"""`down` and `reset`: stop what this clone started and nothing else; then, if wished, forget its data."""

import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from infra.console import Console
from infra.local import postgres_home
from infra.local.errors import StackError
from infra.local.parts import has_ended, stop_process
from infra.local.state import FILE, PartState, find, living, read

STOP_SECONDS: Final = 150
ORPHAN_SECONDS: Final = 20
KEPT: Final = ("venv", "jars", "lock", "venv.lock")  # downloads, and the locks of this moment


def down(folder: Path, console: Console) -> int:
    """Tell the supervisor to stop everything, and stop what a killed supervisor left behind."""
    state = read(folder)
    supervisor = None if state is None else find(state["supervisor"])
    if supervisor is not None:
        _end(supervisor, folder, console)
        stop_orphans(folder, console)
        console.say("Stopped; the data stay.")
    elif not stop_orphans(folder, console):
        console.say("Nothing runs.")
    return 0


def _end(supervisor: psutil.Process, folder: Path, console: Console) -> None:
    supervisor.send_signal(signal.SIGTERM)
    supervisor.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + STOP_SECONDS
    while not has_ended(supervisor):
        if time.monotonic() > deadline:
            raise StackError(
                f"the supervisor does not stop: kill -9 {supervisor.pid}, then ./pickly down again"
            )
        state = read(folder)
        left = [part["name"] for part, _ in living(state)] if state is not None else []
        console.progress(f"stopping {', '.join(left)}")
        time.sleep(0.2)


def stop_orphans(folder: Path, console: Console) -> bool:
    """Stop the parts of a supervisor that was killed, the last stage first; whether there were any."""
    state = read(folder)
    if state is None or find(state["supervisor"]) is not None:
        return False
    orphans = sorted(living(state), key=lambda orphan: -orphan[0]["stage"])
    if orphans:
        console.say(f"The supervisor was killed and left {len(orphans)} processes: stopping them first.")
    for part, process in orphans:
        _stop_orphan(part, process, console)
    return bool(orphans)


def _stop_orphan(part: PartState, process: psutil.Process, console: Console) -> None:
    try:
        by_itself = stop_process(process, part["stop_signal"], ORPHAN_SECONDS)
    except psutil.AccessDenied:
        raise StackError(
            f"{part['name']} (pid {process.pid}) belongs to another user: run this as that user"
        ) from None
    console.good(f"{part['name']} (pid {process.pid}) stopped" + ("" if by_itself else " by force"))


def reset(folder: Path, console: Console, *, sure: bool) -> int:
    """Stop everything and delete data, secrets, logs and ports; what was downloaded stays."""
    if not sure and not _agreed(folder):
        console.say("Nothing was deleted.")
        return 1
    if (folder / FILE).exists():
        down(folder, console)
    outside = postgres_home.remove_outside(folder / "postgres")
    if outside is not None:
        console.say(f"Deleted {outside}")
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    console.say(f"Deleted all data in {folder}; ./pickly up begins anew.")
    return 0


def _agreed(folder: Path) -> bool:
    if not sys.stdin.isatty():
        raise StackError("reset deletes all data and asks first; without a terminal say ./pickly reset --yes")
    answer = input(f"Delete ALL data of this clone in {folder}? Type yes: ")
    return answer.strip().lower() in ("y", "yes")
