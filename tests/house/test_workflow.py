"""The workflow runs what people run, may only read, and uses actions that cannot be replaced under it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.house.source import ROOT

WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED: Final = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def jobs(workflow: Path) -> list[dict[str, Any]]:
    """The jobs of a workflow."""
    return list(yaml.safe_load(workflow.read_text())["jobs"].values())


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_workflows_fit_the_schema_and_end_in_time(schema: str) -> None:
    check = Path(sys.executable).with_name("check-jsonschema")

    done = subprocess.run(
        [str(check), "--builtin-schema", schema, *map(str, WORKFLOWS)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert WORKFLOWS
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    uses = re.findall(r"uses: .*", workflow.read_text())

    assert uses
    assert not [line for line in uses if not PINNED.fullmatch(line)]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_only_read(workflow: Path) -> None:
    loaded = yaml.safe_load(workflow.read_text())

    assert loaded["permissions"] == {"contents": "read"}
    assert not [job for job in jobs(workflow) if "permissions" in job]
    assert "pull_request_target" not in workflow.read_text()


def test_ci_calls_the_one_command() -> None:
    [job] = jobs(ROOT / ".github/workflows/checks.yml")

    assert [step["run"] for step in job["steps"] if "run" in step] == ["./pickly test"]
    assert "./pickly test" in (ROOT / ".ci/run").read_text()
