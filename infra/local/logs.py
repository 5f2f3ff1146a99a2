"""`logs`: the last lines of one part or of all, and on request what comes next."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from infra.local.errors import StackError
from infra.local.parts import tail

LINES: Final = 40
LINES_OF_EACH: Final = 8
WAIT_SECONDS: Final = 0.3


def show(folder: Path, name: str | None, *, follow: bool) -> int:
    """Print the end of the log of `name`, or of each part; with `follow` go on until Ctrl-C."""
    logs = sorted((folder / "logs").glob("*.log"))
    chosen = [log for log in logs if name in (None, log.stem)]
    if not chosen:
        names = ", ".join(log.stem for log in logs) or "none yet: ./pickly up makes them"
        raise StackError(f"there is no log {name or ''}; there are: {names}")
    ends = {log: log.stat().st_size for log in chosen}
    for log in chosen:
        sys.stdout.write(f"== {log.stem} ({log})\n" if name is None else "")
        sys.stdout.write(tail(log, LINES_OF_EACH if name is None else LINES) + "\n")
    sys.stdout.flush()
    if follow:
        _follow(ends, prefix=name is None)
    return 0


def _follow(ends: dict[Path, int], *, prefix: bool) -> None:
    files = {log: log.open(errors="replace") for log in ends}
    for log, file in files.items():
        file.seek(ends[log])
    try:
        while True:
            for log, file in files.items():
                for line in _new_lines(file):
                    sys.stdout.write(f"{log.stem:<10} | {line}" if prefix else line)
            sys.stdout.flush()
            time.sleep(WAIT_SECONDS)
    except KeyboardInterrupt:
        return


def _new_lines(file: TextIO) -> Iterator[str]:
    while line := file.readline():
        yield line
