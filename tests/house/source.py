"""The files that house rules look at, and what a rule says about them."""

import ast
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]


class Violation(NamedTuple):
    """A place that breaks a rule; `line` counts from 1."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class File:
    """A text file; `path` is relative to the repository, with forward slashes."""

    path: str
    text: str

    @property
    def is_python(self) -> bool:
        """Whether it is a module, or the one command, which has no suffix."""
        return self.path.endswith(".py") or self.path == "pickly"

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file."""
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, without their ends."""
        return self.text.splitlines()

    def under(self, *folders: str) -> bool:
        """Whether it lies in one of these folders, at any depth."""
        return self.path.startswith(tuple(f"{folder}/" for folder in folders))

    def broken(self, line: int, what: str) -> Violation:
        """A violation in this file."""
        return Violation(self.path, line, what)


Rule = Callable[[File], Iterator[Violation]]


@cache
def files() -> tuple[File, ...]:
    """Every text file that is committed or could be: git decides; images and other binary files stay out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--exclude=/.pickly/"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(_readable(sorted(set(listed.split("\0")) - {""})))


def _readable(paths: list[str]) -> Iterator[File]:
    for path in paths:
        file = ROOT / path
        if file.is_file() and b"\0" not in (content := file.read_bytes()):
            yield File(path, content.decode())
