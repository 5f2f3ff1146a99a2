"""Mutants as data: one small bug each, what it stands for, and the tests that must notice it."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

FOLDER: Final = Path(__file__).parent / "bugs"


class StaleMutantError(Exception):
    """The text that a mutant replaces is not in its file exactly once: it must be written anew."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug. `old` is in `file` exactly once; of `tests`, pytest node ids, one must fail."""

    id: str
    file: str
    old: str
    new: str
    stands_for: str
    tests: tuple[str, ...]

    @classmethod
    def of(cls, id: str, fields: dict[str, object]) -> Self:
        """From a table of a TOML file; raises TypeError for one that is not complete."""
        file, old, new, stands_for, tests = (
            fields[name] for name in ("file", "old", "new", "stands_for", "tests")
        )
        if not isinstance(tests, list) or not tests or len(fields) != 5:
            raise TypeError(f"mutant {id}: file, old, new, stands_for and tests, and nothing else")
        return cls(id, str(file), str(old), str(new), str(stands_for), tuple(map(str, tests)))

    def plant(self, root: Path) -> str:
        """Write the bug into the tree at `root`; returns the text that was there. Raises StaleMutantError."""
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (found := text.count(self.old)) != 1:
            raise StaleMutantError(f"{self.id}: its old text is {found} times in {self.file}, not once")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return text


def catalogue(folder: Path = FOLDER) -> dict[str, Mutant]:
    """Every mutant, by its id, in the order of the files. Raises TypeError for two with one id."""
    mutants: dict[str, Mutant] = {}
    for path in sorted(folder.glob("*.toml")):
        for id, fields in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if id in mutants:
                raise TypeError(f"two mutants are called {id}")
            mutants[id] = Mutant.of(id, fields)
    return mutants


def part(mutants: Sequence[Mutant], number: int, of: int) -> list[Mutant]:
    """Every `of`-th mutant from the `number`-th (1 is the first), so that each part has some of all files."""
    return list(mutants[number - 1 :: of])
