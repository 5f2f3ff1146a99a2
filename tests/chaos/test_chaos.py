"""The command itself: on an honest product it finds nothing, and says so in one line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.servers import REPOSITORY
from tests.chaos.controls import CONTROLS

WRONGS = (
    *("lost", "doubled", "out_of_order", "events_missing", "events_extra"),
    *("tail_wrong", "answer_wrong", "stuck"),
)


COMMAND = (sys.executable, "-m", "tests.chaos")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY)}


def ran(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON line of a run."""
    command = [*COMMAND, *arguments, "--json"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False
    )
    (line,) = done.stdout.splitlines()
    return done.returncode, json.loads(line)


def test_faults_break_no_promise() -> None:
    code, found = ran("--seconds", "45", "--seed", "7")

    assert {name: found[name] for name in WRONGS} == dict.fromkeys(WRONGS, 0)
    assert code == 0
    assert found["acked"] > 200
    assert min(found[name] for name in ("kills", "freezes", "restarts", "duplicates_sent", "dead")) > 0


@pytest.mark.long
def test_five_minutes_of_faults_break_no_promise() -> None:
    code, found = ran("--seconds", "300", "--seed", "7")

    assert code == 0, found
    assert found["acked"] >= 10_000
    assert found["kills"] + found["freezes"] >= 50


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_ends_in_failure_whatever_the_seed(control: str, seed: int) -> None:
    code, found = ran("--control", control, "--seed", str(seed))

    assert code == 1
    assert found["control"] == control
    assert any(found[name] for name in WRONGS)


@pytest.mark.long
@pytest.mark.parametrize("word", ["servers", "ready", "kill"])
def test_ctrl_c_leaves_nothing_behind(word: str, tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"TMPDIR": str(tmp_path)}
    command = [*COMMAND, "--seconds", "60", "--seed", "1"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if f" s  {word} " in line)
        process.send_signal(signal.SIGINT)
        process.stderr.read()

        assert process.wait() == 130

    assert not list(tmp_path.iterdir())
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(p.info["cmdline"])]
