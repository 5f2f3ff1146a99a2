"""A whole small stack of stand-in programs: `python -m tests.infra.local.standin FOLDER` is its `up`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from infra.console import Console
from infra.local import ports
from infra.local.errors import StackError
from infra.local.parts import Part
from infra.local.probe import over_http
from infra.local.up import Plan, Shape, run

PROGRAM: Final = Path(__file__).with_name("program.py")
NAMES: Final = ("server", "worker", "gateway")


def stand_in(folder: Path, name: str, port: int, stage: int = 0) -> Part:
    """One stand-in part."""
    return Part(
        name=name,
        command=lambda: [sys.executable, str(PROGRAM), str(folder), name, str(port)],
        folder=folder,
        log=folder / "logs" / f"{name}.log",
        ready=lambda: over_http(port),
        port=port,
        stage=stage,
        stop_seconds=5,
    )


def parts_of(folder: Path, names: Sequence[str] = NAMES) -> list[Part]:
    """One part for each name, each in a stage of its own, on ports that are written down in the folder."""
    numbers = ports.saved(folder / "ports.json", names, ports.TESTS)
    return [stand_in(folder, name, numbers[name], stage) for stage, name in enumerate(names)]


def probe(_folder: Path, _name: str, port: int) -> str | None:
    """What `status` asks."""
    return over_http(port)


def starts(folder: Path, name: str) -> int:
    """How often a stand-in was started."""
    return _lines(folder / f"{name}.starts")


def ends(folder: Path, name: str) -> int:
    """How often a stand-in was stopped gracefully."""
    return _lines(folder / f"{name}.ends")


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def main() -> int:
    """As `./pickly up` does it, with other parts."""
    folder = Path(sys.argv[1])

    def plan() -> Plan:
        parts = parts_of(folder)
        for part in parts:
            ports.require_free(part.name, part.port or 0, folder / "ports.json")
        return Plan(parts, f"http://127.0.0.1:{json.loads((folder / 'ports.json').read_text())['gateway']}")

    try:
        return run(folder, Shape(), plan, Console())
    except StackError as error:
        sys.stdout.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
