"""The bench measures, tells it in one shape, and says when it could not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from infra.settings import Settings
from tests.bench import page
from tests.bench.__main__ import measure
from tests.bench.benches import Entry
from tests.bench.document import Bar, Document, Row
from tests.bench.effort import Effort

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command on servers of its own: it empties the topics of the servers that it uses."""
    environment = {name: value for name, value in os.environ.items() if name != "PICKLY_TEST_SERVERS"}
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_two_short_benchmarks_end_in_one_document_and_success() -> None:
    """Given nothing that runs, when two are measured, then one document has a row for each comparison."""
    done = bench("commands", "batched", "--quick", "--json")

    assert done.returncode == 0, done.stderr
    document = Document.model_validate_json(done.stdout)
    assert [row.bench for row in document.rows] == ["commands", "commands", "batched", "batched"]
    assert document.quick
    assert not document.failures
    for row in document.rows:
        assert row.ours.min > 0
        assert row.theirs.min > 0
        assert row.ratio == pytest.approx(row.ours.median / row.theirs.median)
        assert row.met == (None if row.bar is None else row.bar.holds(row.ratio))


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    """Given a wrong name, when it is asked for, then nothing is measured and the command says what can be."""
    done = bench("speed")

    assert done.returncode == 2
    assert "commands" in done.stderr


async def test_a_benchmark_that_fails_is_told_and_the_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one that raises and one that measures, when both run, then there is an error and a row."""

    async def broken(config: Settings, effort: Effort) -> list[Row]:
        raise RuntimeError("the topic grew by 0")

    async def sound(config: Settings, effort: Effort) -> list[Row]:
        return [Row.of("sound", "what", "against", "unit", [2], [1])]

    benches = {"broken": Entry(broken, page), "sound": Entry(sound, page)}
    monkeypatch.setattr("tests.bench.__main__.BENCHES", benches)

    document = await measure(settings, list(benches), Effort(quick=True), Console(quiet=True))

    assert [(each.bench, each.error) for each in document.failures] == [
        ("broken", "RuntimeError: the topic grew by 0")
    ]
    assert [row.bench for row in document.rows] == ["sound"]


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar(at_least=2.0), True),
        (Bar(at_least=2.1), False),
        (Bar(at_most=2.0), True),
        (Bar(at_most=1.9), False),
    ],
)
def test_a_bar_is_met_by_the_ratio_of_the_medians(bar: Bar, met: bool) -> None:
    """Given ours of 4, 6, 90 against 3, 3, 1, when the row is made, then its ratio is 2, not the mean's."""
    row = Row.of("x", "what", "against", "unit", [4, 6, 90], [3, 3, 1], bar)

    assert (row.ratio, row.met) == (2.0, met)


def test_the_page_shows_the_committed_run() -> None:
    """Given the committed run, when the page is made from it, then it is the committed page."""
    document = Document.model_validate_json(page.DATA.read_text())

    assert page.rendered(document, page.PAGE.read_text()) == page.PAGE.read_text()
    assert not document.quick


def test_the_page_keeps_what_is_written_by_hand() -> None:
    """Given text around the marks, when the page is made anew, then only what is between them changes."""
    document = Document.model_validate_json(page.DATA.read_text())
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"

    made = page.rendered(document, text)

    assert made.startswith("before\n")
    assert made.endswith("\nafter\n")
    assert "old" not in made
    with pytest.raises(ValueError, match="lacks"):
        page.rendered(document, "no marks")
