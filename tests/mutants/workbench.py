"""A copy of the tree in which bugs are planted, one at a time, and the tests that must notice are run."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.catalogue import Mutant

ROOT: Final = Path(__file__).parents[2]
LIMIT: Final = 300.0
"""Seconds for the tests of one mutant; a bug may also make them hang."""
TOLD: Final = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
OPTIONS: Final = ("-q", "-x", "--tb=line", "-p", "no:cacheprovider", "-m", "not long")
FAILED: Final = 1
"""pytest's exit code when tests ran and some failed; above: none ran, or not as asked."""


class UnfitTestsError(Exception):
    """The tests cannot judge a mutant: they fail without it, or there are none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant; `by` is the test that noticed, None for a survivor."""

    mutant: Mutant
    by: str | None

    @property
    def killed(self) -> bool:
        """Whether a test noticed."""
        return self.by is not None


@dataclass(frozen=True, slots=True)
class Workbench:
    """The copy at `root`; `variables` are those of the servers."""

    root: Path
    variables: Mapping[str, str]

    def check(self, mutants: Sequence[Mutant]) -> None:
        """See that all tests pass as long as nothing is planted. Raises UnfitTestsError.

        What fails may have been disturbed by a neighbour from another file, and is tried once more by itself.
        """
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        code, out = self._run(tests, LIMIT + 20 * len(tests), "--maxfail=5")
        if code == FAILED:
            code, out = self._run(sorted(set(TOLD.findall(out))), LIMIT)
        if code != 0:
            raise UnfitTestsError(f"without any mutant the tests end with {code}:\n{out[-3000:]}")

    def judge(self, mutant: Mutant) -> Verdict:
        """Plant it, run its tests, take it out. Raises StaleMutantError and UnfitTestsError."""
        text = mutant.plant(self.root)
        try:
            code, out = self._run(mutant.tests, LIMIT)
        finally:
            (self.root / mutant.file).write_text(text, encoding="utf-8")
        if code is None:
            return Verdict(mutant, "the time limit")
        if code > FAILED or code < 0:
            raise UnfitTestsError(f"{mutant.id}: pytest ended with {code}:\n{out[-3000:]}")
        named = TOLD.search(out)
        return Verdict(mutant, (named[1] if named else "?") if code == FAILED else None)

    def _run(self, tests: Sequence[str], seconds: float, *options: str) -> tuple[int | None, str]:
        """pytest's exit code, None when it took too long, and what it printed."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *OPTIONS, *options, *tests],
            cwd=self.root,
            env=os.environ | self.variables | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            return None, out
        return process.returncode, out


@contextmanager
def workbench(folder: Path, variables: Mapping[str, str]) -> Iterator[Workbench]:
    """A copy of what git knows, as it is now, with the same environment; it is gone afterwards."""
    root = folder / "tree"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, stdout=subprocess.PIPE, check=True)  # fmt: skip
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
    (root / ".pickly").mkdir()
    (root / ".pickly" / "venv").symlink_to(sys.prefix)
    try:
        yield Workbench(root, variables)
    finally:
        shutil.rmtree(root)
