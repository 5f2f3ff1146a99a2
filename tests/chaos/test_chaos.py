"""The command itself: on an honest product it finds nothing, and says so in one line."""

import json
import os
import subprocess
import sys

import pytest

from infra.local.servers import REPOSITORY

WRONGS = (
    *("lost", "doubled", "out_of_order", "events_missing", "events_extra"),
    *("tail_wrong", "answer_wrong", "stuck"),
)


def ran(*arguments: str) -> tuple[int, dict[str, int]]:
    """Exit code and JSON line of a run."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments, "--json"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    (line,) = done.stdout.splitlines()
    return done.returncode, json.loads(line)


def test_a_minute_of_faults_breaks_no_promise() -> None:
    code, found = ran("--seconds", "45", "--seed", "7")

    assert {name: found[name] for name in WRONGS} == dict.fromkeys(WRONGS, 0)
    assert code == 0
    assert found["acked"] > 500
    assert min(found[name] for name in ("kills", "freezes", "restarts", "duplicates_sent", "dead")) > 0


@pytest.mark.long
def test_five_minutes_of_faults_break_no_promise() -> None:
    code, found = ran("--seconds", "300", "--seed", "7")

    assert code == 0, found
    assert found["acked"] >= 10_000
    assert found["kills"] + found["freezes"] >= 50


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
@pytest.mark.parametrize("control", ["no-inbox", "commit-before-effect", "ack-first", "relay-unfenced"])
def test_a_control_ends_in_failure_whatever_the_seed(control: str, seed: int) -> None:
    code, found = ran("--control", control, "--seed", str(seed))

    assert (code, found["control"]) == (1, control)
    assert any(found[name] for name in WRONGS)
