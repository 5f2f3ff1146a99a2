"""Generated documents follow from the contract, staleness is found, and what is released never changes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.ops.compatibility import broken
from infra.ops.docs import DOCS, ContractError, generated, release, stale
from infra.ops.docs_topics import topic_map
from infra.ops.examples import FOLDER, catalogue
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[3]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.ops.docs", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_committed_is_what_the_contract_says() -> None:
    assert stale() == [], "run python -m infra.ops.docs"


def test_a_change_of_a_committed_file_is_found(tmp_path: Path) -> None:
    for name, text in generated().items():
        (tmp_path / name).write_text(text)
    assert stale(tmp_path) == []

    (tmp_path / "topics.md").write_text((DOCS / "topics.md").read_text() + "\n")
    (tmp_path / "asyncapi.yaml").unlink()

    assert stale(tmp_path) == ["topics.md", "asyncapi.yaml"]


def test_check_succeeds_and_writes_nothing() -> None:
    before = {name: (DOCS / name).stat().st_mtime_ns for name in generated()}

    assert run("--check").returncode == 0

    assert {name: (DOCS / name).stat().st_mtime_ns for name in before} == before


def test_the_map_names_every_topic_writer_reader_and_message() -> None:
    text = topic_map()

    for topic in TOPICS.values():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{topic.name}` |"))
        assert all(name in row for name in (*(topic.writers or (topic.owner,)), *topic.readers))
        assert ("| yes |" in row) is topic.personal
        for reader in topic.readers:
            assert f"  {topic.name.replace('.', '_')} --> {reader}" in text.splitlines()
    for name in catalogue():
        assert f"| `{name}` |" in text


def test_a_type_without_an_example_stops_the_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in FOLDER.glob("*.json"):
        if path.stem != "React":
            (tmp_path / path.name).write_text(path.read_text())
    found = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    monkeypatch.setattr("infra.ops.docs.examples", lambda: found)

    with pytest.raises(ContractError, match="no example of React"):
        generated()


def test_a_release_holds_every_type_and_example_and_is_kept_by_this_code(tmp_path: Path) -> None:
    made = release("7.8.9", tmp_path)

    assert {path.stem for path in (made / "types").iterdir()} == catalogue().keys()
    assert {path.stem for path in (made / "examples").iterdir()} == catalogue().keys()
    assert broken(made) == []


def test_a_release_is_never_made_twice(tmp_path: Path) -> None:
    release("7.8.9", tmp_path)

    with pytest.raises(ContractError, match=r"7\.8\.9 is released already"):
        release("7.8.9", tmp_path)


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "../1.0.0", ""])
def test_a_version_is_three_numbers(tmp_path: Path, version: str) -> None:
    with pytest.raises(ContractError, match=r"no version like 0\.1\.0"):
        release(version, tmp_path)


def test_the_command_refuses_the_release_that_is_there() -> None:
    done = run("release", "0.1.0")

    assert done.returncode == 1
    assert "0.1.0 is released already" in done.stderr
