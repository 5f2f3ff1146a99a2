"""A group of widgets as an operating-system process of its own, to be killed and frozen.

`python -m tests.infra.runtime.kafka.member TASK`, where TASK is the JSON of a `Task`. It runs what
`python -m consumers` runs; only the group is another one, and the runtime can be made to die at a point.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from consumers import __main__ as program
from consumers.registry import ALL
from infra.runtime import intake
from infra.settings import Settings
from tests.infra.runtime.kafka.points import POINTS
from tests.infra.runtime.kafka.stage import deciding, named, until, wrapped

ROOT = Path(__file__).parents[4]


@dataclass
class Task:
    """What a member does. `die_at` is one of POINTS, at its n-th passing; `mark` is a file that a handler of
    the value `slow` (and the preparation of `slow-start`) makes before it waits `slow` seconds."""

    name: str
    partitions: int
    die_at: str = ""
    passing: int = 1
    mark: str = ""
    slow: float = 0.0
    http_port: int = 0


def member(task: Task, settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    """Start a member; its log is appended to the file."""
    variables = settings.model_dump(include={"kafka", "database", "valkey", "s3", "secrets"})
    environment = {f"PICKLY_{name.upper()}": str(value) for name, value in variables.items()}
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(asdict(task))],
            env=os.environ | environment | {"PICKLY_HTTP_PORT": str(task.http_port), "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )


Start = Callable[[Task], "subprocess.Popen[bytes]"]


async def ended(process: "subprocess.Popen[bytes]") -> int:
    """The exit code, as soon as the process ends."""

    async def gone() -> bool:
        return process.poll() is not None

    await until(gone, f"process {process.pid} ends")
    return int(process.returncode)


async def marked(task: Task) -> None:
    """Wait until the slow place is reached."""

    async def reached() -> bool:
        return os.access(task.mark, os.F_OK)

    await until(reached, "the member is at work")


def dying(function: Callable[..., Any], passing: int, *, before: bool) -> Callable[..., Any]:
    """The function, but at its n-th passing the process ends, as by a power cut."""
    passed = 0

    async def wrapper(*arguments: Any, **named_arguments: Any) -> Any:
        nonlocal passed
        passed += 1
        if before and passed == passing:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await function(*arguments, **named_arguments)
        if passed == passing:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


def main(task: Task) -> int:
    """Run the group until told to stop."""
    vars(intake)["FULL"] = (
        1  # as in the tests' own process: every poll is read beside the transaction before it
    )
    if task.die_at:
        owner, name, before = POINTS[task.die_at]
        setattr(owner, name, dying(getattr(owner, name), task.passing, before=before))
    group = deciding(named(task.name, partitions=task.partitions))

    async def slow(function: Callable[..., Any], message: Any, meta: Any, db: Any, *prepared: Any) -> Any:
        outcome = await function(message, meta, db)
        if message.value == "slow" and first(Path(task.mark)):
            await asyncio.sleep(task.slow)
        return outcome

    async def prepare(message: Any, meta: Any, db: Any) -> None:
        if message.value == "slow-start" and first(Path(task.mark)):
            await asyncio.sleep(task.slow)

    wrapped(group, "Put", slow, prepare=prepare)
    ALL.clear()
    ALL[group.name] = group
    return program.main([group.name])


def first(mark: Path) -> bool:
    """Say that we are here; whether nobody was before."""
    if mark.exists():
        return False
    mark.touch()
    return True


if __name__ == "__main__":
    sys.exit(main(Task(**json.loads(sys.argv[1]))))
