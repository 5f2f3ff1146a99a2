"""The committed scorecard: which mutants there are, and which test noticed each in the last full run."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.mutants.catalogue import Mutant
from tests.mutants.workbench import Verdict

FILE: Final = Path(__file__).parent / "SCORECARD.md"
ROW: Final = re.compile(r"^\| `([a-z0-9-]+)` \| .* \| (?:`([^`]+)`|\*\*nothing\*\*) \|$", re.MULTILINE)
HEAD: Final = """\
# Mutants

One small bug each, planted into a copy of the tree. `python -m tests.mutants --scorecard` writes the rows of
what it ran anew; where nothing noticed a bug, a test is missing. The bugs themselves are in `bugs/`.

| mutant | what it stands for | noticed by |
| --- | --- | --- |
"""


def render(mutants: Iterable[Mutant], noticed_by: Mapping[str, str | None]) -> str:
    """The file's text; `noticed_by` has the test of each mutant, None for survivors."""
    tests = {each: noticed_by.get(each.id) for each in mutants}
    rows = [f"| `{each.id}` | {each.stands_for} | {_by(test)} |\n" for each, test in tests.items()]
    return f"{HEAD}{''.join(rows)}\n{sum(map(bool, tests.values()))} of {len(tests)} are noticed.\n"


def _by(test: str | None) -> str:
    return f"`{test}`" if test else "**nothing**"


def read() -> dict[str, str | None]:
    """What the scorecard says: by mutant, the test that noticed it."""
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    return {id: by or None for id, by in ROW.findall(text)}


def update(mutants: Iterable[Mutant], verdicts: Iterable[Verdict]) -> None:
    """Write the rows of these verdicts anew, and leave out what is no mutant any more."""
    noticed_by = read() | {each.mutant.id: each.by for each in verdicts}
    FILE.write_text(render(mutants, noticed_by), encoding="utf-8")
