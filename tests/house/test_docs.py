"""The documents tell the truth: paths in them exist, links lead somewhere, decisions are complete."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT, files

DECISIONS: Final = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
SECTIONS: Final = ["Context", "Decision", "Consequences", "Alternatives"]
TEXTS: Final = [ROOT / file.path for file in files() if file.path.endswith(".md")]
LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]+)")
CODE: Final = re.compile(r"`([\w.-]+(?:/[\w.-]+)+/?)`")
DOCUMENT: Final = re.compile(r"(?<![\w-])\w[\w-]*\.md\b")
ROOTS: Final = (
    *("schemas", "infra", "producers", "consumers", "gateway", "clients", "tests", "docs"),
    *(".github", ".ci"),
)
PLANTED: Final = "planted-rules" + ".md"
# What docs/adding-a-feature.md makes up as it goes along.
MADE_UP: Final = {
    "schemas/saves.py",
    "schemas/examples/SavePick.json",
    "tests/consumers/social/test_saves.py",
    "infra/migrations/social/0003_saves.sql",
    "infra/migrations/read_picks/0002_saves.sql",
    "gateway/routes/saves.py",
    "tests/journeys/test_save_pick.py",
}


def paths_in(text: str) -> set[str]:
    """The paths of this repository that a text names in code marks."""
    return {path for path in CODE.findall(text) if path.split("/")[0] in ROOTS}


def missing(paths: set[str]) -> set[str]:
    """Those that do not exist; a pattern must match something."""
    return {path for path in paths if not list(ROOT.glob(path.rstrip("/")))}


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_text_names_exists(text: Path) -> None:
    assert not missing(paths_in(text.read_text())) - MADE_UP


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(text: Path) -> None:
    assert not [link for link in LINK.findall(text.read_text()) if not (text.parent / link).exists()]


def test_a_path_that_does_not_exist_is_seen() -> None:
    assert missing(paths_in("see `infra/runtime/decider.py` and `infra/planted.py`")) == {"infra/planted.py"}


def test_no_file_names_a_document_that_is_not_here() -> None:
    here = {Path(file.path).name for file in files()}
    real = [file for file in files() if not file.path.endswith("house/planted.py")]
    named = {(file.path, name) for file in real for name in DOCUMENT.findall(file.text)}

    assert not {f"{path}: {name}" for path, name in named if name not in here}
    assert DOCUMENT.findall(f"see {PLANTED} section 6") == [PLANTED]


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()

    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    assert [path.name for path in DECISIONS if path.name not in index] == []


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_with_one_sentence_to_quote(decision: Path) -> None:
    text = decision.read_text()
    quoted = re.findall(r"(?:^> .*\n)+", text, re.MULTILINE)

    assert re.match(rf"# {decision.name[:4]}\. .+\n\nStatus: (accepted|superseded by \d{{4}}), ", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert len(quoted) == 1
    assert len(text.splitlines()) <= 45


def test_the_licence_is_the_one_that_the_project_names() -> None:
    licence = (ROOT / "LICENSE").read_text()

    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "9. Accepting Warranty or Additional Liability." in licence
