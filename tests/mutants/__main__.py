"""Plant curated bugs and see that tests notice: `python -m tests.mutants [ID...] [--part N/M] [--json]`.

Running servers (`python -m infra.local.servers FOLDER`) are used when PICKLY_TEST_SERVERS names their file.
Exit code 0: every mutant was noticed. 1: one survived. 2: one is stale, or its tests fail without it.
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.local.servers import start_servers
from tests.mutants import scorecard
from tests.mutants.catalogue import Mutant, StaleMutantError, catalogue, part
from tests.mutants.workbench import UnfitTestsError, Verdict, workbench

SERVERS: Final = "PICKLY_TEST_SERVERS"


def main(arguments: Sequence[str]) -> int:
    """Judge what was asked for, and say what became of each."""
    asked = _parser().parse_args(arguments)
    known = catalogue()
    if unknown := [id for id in asked.id if id not in known]:
        _say(f"no such mutant: {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    chosen = part([known[id] for id in asked.id or known], *asked.part)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="pickly-mutants-") as folder,
            servers(Path(folder)) as variables,
        ):
            verdicts = judge(chosen, Path(folder), variables, quiet=asked.json)
    except (StaleMutantError, UnfitTestsError) as error:
        _say(f"mutants: {error}")
        return 2
    if asked.scorecard:
        scorecard.update(known.values(), verdicts)
    survivors = [each.mutant.id for each in verdicts if not each.killed]
    if asked.json:
        _say(json.dumps([{"id": each.mutant.id, "killed_by": each.by} for each in verdicts]))
    else:
        _say(f"{len(verdicts) - len(survivors)} of {len(verdicts)} noticed{_list(survivors)}")
    return 1 if survivors else 0


def judge(
    mutants: Sequence[Mutant], folder: Path, variables: Mapping[str, str], *, quiet: bool = False
) -> list[Verdict]:
    """See that their tests pass, then judge one after the other. Raises what the workbench raises."""
    verdicts = []
    with workbench(folder, variables) as bench:
        bench.check(mutants)
        for mutant in mutants:
            began = time.monotonic()
            verdicts.append(verdict := bench.judge(mutant))
            if not quiet:
                told = f"killed by {verdict.by}" if verdict.killed else f"SURVIVED: {mutant.stands_for}"
                _say(f"{time.monotonic() - began:5.1f} s  {mutant.id}: {told}")
    return verdicts


@contextmanager
def servers(folder: Path) -> Iterator[Mapping[str, str]]:
    """What tells tests which servers to use: those that are named, else a set of our own."""
    if named := os.environ.get(SERVERS):
        yield {SERVERS: str(Path(named).resolve())}
        return
    started = start_servers(folder / "servers")
    try:
        yield named_in(folder / "env", started.env)
    finally:
        started.stop()


def named_in(file: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Write the variables of running servers down, as tests read them; returns what names the file."""
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))
    return {SERVERS: str(file)}


def _list(survivors: Sequence[str]) -> str:
    return f"; survived: {', '.join(survivors)}" if survivors else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("id", nargs="*", help="only these mutants")
    parser.add_argument("--part", type=_part, default=(1, 1), metavar="N/M", help="only the N-th of M parts")
    parser.add_argument("--json", action="store_true", help="one line of JSON in the end, and nothing else")
    parser.add_argument("--scorecard", action="store_true", help="write the rows of these in SCORECARD.md")
    return parser


def _part(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: write 2/5")
    return int(number), int(of)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
