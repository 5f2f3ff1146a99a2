"""The table of faults is complete, and names tests that exist."""

import ast
import re

from tests.house.source import ROOT

TABLE = (ROOT / "docs/runbooks/faults.md").read_text()
ROW = re.compile(r"^\| (F\d+): .*$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)`:((?:,? `test_\w+`)+)")
TEST = re.compile(r"`(test_\w+)`")


def named(text: str) -> set[tuple[str, str]]:
    """(file, test) of every test that a text names behind its file."""
    return {(file, test) for file, tests in NAMED.findall(text) for test in TEST.findall(tests)}


def existing(file: str) -> set[str]:
    """The tests in a file."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_fault_has_its_row_and_a_test_or_a_reason() -> None:
    rows = {found[1]: found[0] for found in ROW.finditer(TABLE)}

    assert list(rows) == [f"F{n}" for n in range(1, 16)]
    assert [name for name, row in rows.items() if not named(row) and "not applicable yet" not in row] == []


def test_every_test_that_is_named_exists() -> None:
    assert [(file, test) for file, test in sorted(named(TABLE)) if test not in existing(file)] == []


def test_every_test_name_in_the_table_stands_behind_its_file() -> None:
    rows = "\n".join(found[0] for found in ROW.finditer(TABLE))

    assert set(TEST.findall(rows)) == {test for _, test in named(rows)}


def test_a_test_that_does_not_exist_would_be_seen() -> None:
    ((file, test),) = named("`tests/faults/test_rows.py`: `test_nothing`")

    assert test not in existing(file)


def test_every_fault_here_is_in_the_table() -> None:
    files = sorted((ROOT / "tests/faults").glob("test_*.py"))
    here = {
        test
        for file in files
        for test in existing(str(file.relative_to(ROOT)))
        if re.match(r"test_f\d", test)
    }

    assert here <= {test for _, test in named(TABLE)}
