"""The list of mutants fits the tree, its tests and its scorecard; the runner tells killed from survived."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.mutants import scorecard
from tests.mutants.__main__ import main
from tests.mutants.catalogue import Mutant, StaleMutantError, catalogue, part
from tests.mutants.workbench import ROOT, UnfitTestsError, Workbench

MUTANTS: Final = catalogue()


def test_no_mutant_is_stale_or_changes_nothing() -> None:
    texts = {mutant.file: (ROOT / mutant.file).read_text(encoding="utf-8") for mutant in MUTANTS.values()}

    assert [m.id for m in MUTANTS.values() if texts[m.file].count(m.old) != 1 or m.old == m.new] == []


def test_the_tests_of_every_mutant_exist() -> None:
    named = {test.partition("::")[::2] for mutant in MUTANTS.values() for test in mutant.tests}

    missing = [
        f"{path}::{name}" for path, name in named if name.partition("[")[0] not in functions(ROOT / path)
    ]

    assert missing == []


def functions(path: Path) -> set[str]:
    """The names of the functions in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_there_are_mutants_of_every_kind_and_each_says_what_it_stands_for() -> None:
    assert len(MUTANTS) >= 24
    assert {mutant.file.partition("/")[0] for mutant in MUTANTS.values()} == {
        "infra", "producers", "consumers", "gateway",
    }  # fmt: skip
    assert len({mutant.stands_for for mutant in MUTANTS.values()}) == len(MUTANTS)


def test_the_scorecard_is_that_of_the_list_and_nothing_survived() -> None:
    noticed_by = scorecard.read()

    assert scorecard.FILE.read_text(encoding="utf-8") == scorecard.render(MUTANTS.values(), noticed_by), (
        "run python -m tests.mutants --scorecard"
    )
    assert [id for id in MUTANTS if noticed_by.get(id) is None] == []


def test_the_parts_are_the_whole_and_each_is_about_as_large() -> None:
    mutants = list(MUTANTS.values())

    parts = [part(mutants, number, 5) for number in range(1, 6)]

    assert sorted(m.id for some in parts for m in some) == sorted(MUTANTS)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A tree with one function and two tests of it."""
    (tmp_path / "sum.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "test_sum.py").write_text(
        "from sum import add\n\n\ndef test_adds():\n    assert add(2, 2) == 4\n\n\n"
        "def test_fails():\n    assert add(1, 1) == 3\n"
    )
    return Workbench(tmp_path, {})


BUG: Final = Mutant("minus", "sum.py", "a + b", "a - b", "a test", ("test_sum.py::test_adds",))


def test_a_bug_that_a_test_notices_is_killed_by_that_test_and_taken_out_again(bench: Workbench) -> None:
    bench.check([BUG])

    verdict = bench.judge(BUG)

    assert (verdict.killed, verdict.by) == (True, "test_sum.py::test_adds")
    bench.check([BUG])


def test_a_bug_that_no_test_notices_survives(bench: Workbench) -> None:
    assert not bench.judge(replace(BUG, new="a * b")).killed


def test_a_bug_that_makes_its_tests_hang_is_noticed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.mutants.workbench.LIMIT", 3.0)

    assert bench.judge(replace(BUG, new="__import__('time').sleep(600)")).by == "the time limit"


def test_a_mutant_whose_text_is_not_there_once_is_stale(bench: Workbench) -> None:
    for old in ("a / b", "a"):
        with pytest.raises(StaleMutantError, match="minus"):
            bench.judge(replace(BUG, old=old))


def test_tests_that_fail_without_the_bug_or_are_not_there_judge_nothing(bench: Workbench) -> None:
    with pytest.raises(UnfitTestsError, match="without any mutant"):
        bench.check([replace(BUG, tests=("test_sum.py::test_fails",))])
    with pytest.raises(UnfitTestsError, match="pytest ended with 4"):
        bench.judge(replace(BUG, tests=("test_sum.py::test_nothing",)))


def test_an_unknown_mutant_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such"]) == 2
    assert "no such mutant: no-such" in capsys.readouterr().out
