"""`up`: one supervisor per clone, in the foreground or detached; a second `up` uses what runs."""

import fcntl
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from infra.console import Console
from infra.local import ports
from infra.local.down import stop_orphans
from infra.local.errors import StackError
from infra.local.healing import Care
from infra.local.parts import Part, tail, wait_for
from infra.local.stack import (
    GATEWAY,
    LIGHT_GROUPS,
    gateway_address,
    platform_care,
    platform_environment,
    platform_parts,
    port_names,
)
from infra.local.state import StackState, find, read
from infra.local.supervisor import Supervisor

ENV_FILE: Final = "env"
PORTS_FILE: Final = "ports.json"
UP_LOG: Final = "logs/up.log"
ROOM_MB: Final = 1024
FOLLOW_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Shape:
    """What the user asked for."""

    each: bool = False  # one process for each consumer group
    gateway_port: int | None = None


class Plan(NamedTuple):
    """What to run, the gateway's address, and how what stands still is healed."""

    parts: Sequence[Part]
    gateway: str
    care: Care | None = None


def up(folder: Path, shape: Shape, console: Console) -> int:
    """Run the platform until Ctrl-C or SIGTERM; when another `up` runs it already, wait for that one."""

    def plan() -> Plan:
        numbers = _ports(folder, shape)
        parts = platform_parts(folder, numbers, shape.each, console.progress)
        _write_env(folder, platform_environment(folder, numbers))
        return Plan(parts, gateway_address(numbers), platform_care(folder, numbers))

    return run(folder, shape, plan, console)


def run(folder: Path, shape: Shape, plan: Callable[[], Plan], console: Console) -> int:
    """As the clone's one supervisor, run what `plan` says, after clearing away what a killed one left."""
    with _only_one(folder) as mine:
        if not mine:
            return follow(folder, shape, console)
        began = time.monotonic()
        stop_orphans(folder, console)
        _require_room(folder)
        planned = plan()
        console.say(f"Starting Pickly in {folder}")
        return supervise(folder, planned, console, began)


def supervise(folder: Path, plan: Plan, console: Console, began: float) -> int:
    """Start the parts, keep them until a signal says stop, and stop them; 0 unless the start failed."""
    supervisor = Supervisor(folder, plan.parts, console, plan.gateway, care=plan.care)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stop_asked.set())
    try:
        if supervisor.start():
            console.say(_welcome(plan.gateway, time.monotonic() - began))
            wait_for(supervisor.stop_asked)
        console.say("Stopping; the data stay.")
        return 0
    except StackError as error:
        console.bad(f"{error}\nEverything that was started is being stopped.")
        return 1
    finally:
        supervisor.stop()
        console.say("Stopped.")


def detach(folder: Path, shape: Shape, arguments: Sequence[str], console: Console) -> int:
    """Run `up` in the background and show what it says until it is ready or has failed."""
    log = folder / UP_LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    state = read(folder)
    if state is not None and find(state["supervisor"]) is not None:
        return follow(folder, shape, console)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _show_until_ready(folder, child, log)
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        console.say("Stopping what was started ...")
        return child.wait() or 130


def _show_until_ready(folder: Path, child: subprocess.Popen[bytes], log: Path) -> int:
    with log.open() as text:
        while True:
            ended = child.poll() is not None
            state = read(folder)
            ready = state is not None and state["up"] and state["supervisor"]["pid"] == child.pid
            sys.stdout.write(text.read())
            sys.stdout.flush()
            if ended:
                return child.returncode or 1
            if ready:
                time.sleep(FOLLOW_SECONDS)
                sys.stdout.write(text.read())
                return 0
            time.sleep(FOLLOW_SECONDS)


def follow(folder: Path, shape: Shape, console: Console) -> int:
    """Wait until the stack that another `up` runs is ready."""
    told = False
    while True:
        state = read(folder)
        if state is None or find(state["supervisor"]) is None:
            raise StackError(f"the other ./pickly up ended. Its last words:\n{tail(folder / UP_LOG)}")
        if state["up"]:
            _require_same_shape(state, shape)
            console.say(f"It runs already (supervisor pid {state['supervisor']['pid']}).")
            console.say(_welcome(state["gateway"], None))
            return 0
        if not told:
            console.say(f"Another ./pickly up (pid {state['supervisor']['pid']}) is starting it; waiting.")
            told = True
        time.sleep(FOLLOW_SECONDS)


def _require_same_shape(state: StackState, shape: Shape) -> None:
    runs_each = not any(part["name"] in LIGHT_GROUPS for part in state["parts"])
    other_port = shape.gateway_port not in (None, urlsplit(state["gateway"]).port)
    if other_port or (shape.each and not runs_each):
        raise StackError("it runs already, with other options: ./pickly down first, then up with these")


@contextmanager
def _only_one(folder: Path) -> Iterator[bool]:
    """Whether this process may be the clone's supervisor; a SIGKILL gives the lock back too."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free // 2**20
    if free < ROOM_MB:
        raise StackError(
            f"only {free} MB are free at {folder}, and the stack wants {ROOM_MB}: make room and try again"
        )


def _ports(folder: Path, shape: Shape) -> dict[str, int]:
    file = folder / PORTS_FILE
    names = port_names(shape.each)
    numbers = ports.saved(file, names)
    if shape.gateway_port is not None:
        numbers[GATEWAY] = shape.gateway_port
        ports.save(file, numbers)
    for name in names:
        ports.require_free(name, numbers[name], file)
    return numbers


def _write_env(folder: Path, env: dict[str, str]) -> None:
    """For `source`, and for the launcher's other words."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
    (folder / ENV_FILE).write_text("".join(lines))


def _welcome(gateway: str, seconds: float | None) -> str:
    ready = "Pickly is ready." if seconds is None else f"Pickly is ready after {seconds:.1f} s."
    return f"""
{ready}
  API                {gateway}/v1/feeds/latest
  API documentation  {gateway}/docs
  OpenAPI            {gateway}/openapi.json

  curl -s {gateway}/v1/feeds/latest

Stop it with Ctrl-C here or ./pickly down anywhere. Look at it with ./pickly status and ./pickly logs."""
