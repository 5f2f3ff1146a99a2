"""After a SIGKILL of the supervisor or of everything, and with records that are stale, copied or damaged."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from infra.console import Console
from infra.local.down import down
from infra.local.state import find, identify
from infra.local.status import look
from tests.infra.local.running import Up, alive, pids, state_of, states
from tests.infra.local.standin import NAMES, ends, probe
from tests.infra.local.waiting import until


def test_after_a_sigkill_of_the_supervisor_status_says_so_and_up_works_again(folder: Path) -> None:
    # given
    first = Up(folder).ready()
    before = pids(folder)
    first.end(signal.SIGKILL)
    assert states(folder) == dict.fromkeys(NAMES, "orphaned")
    # when
    second = Up(folder).ready()
    # then
    assert [ends(folder, name) for name in NAMES] == [1, 1, 1]
    assert set(pids(folder).values()).isdisjoint(before.values())
    assert states(folder) == dict.fromkeys(NAMES, "running")
    assert "left 3 processes" in second.output.read_text()


def test_after_a_sigkill_of_everything_up_works_again(folder: Path) -> None:
    first = Up(folder).ready()
    running = pids(folder)
    first.end(signal.SIGKILL)
    for pid in running.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: alive(folder) == [], "all are gone")
    Up(folder).ready()
    assert look(folder, probe)["ready"]


def test_down_after_a_sigkill_of_the_supervisor_stops_what_it_left(folder: Path) -> None:
    Up(folder).ready().end(signal.SIGKILL)
    down(folder, Console())
    assert alive(folder) == []
    assert [ends(folder, name) for name in NAMES] == [1, 1, 1]


def test_a_recycled_pid_is_left_alone(folder: Path, bystander: subprocess.Popen[bytes]) -> None:
    """The record names a pid that belongs to another process by now: it started at another time."""
    Up(folder).ready().end(signal.SIGTERM)
    state = state_of(folder)
    stranger = identify(bystander.pid)
    assert stranger is not None
    stale = {"pid": stranger["pid"], "started": stranger["started"] - 1000}
    state["supervisor"] = state["parts"][0]["process"] = stale  # type: ignore[typeddict-item]  # it is a Pid
    (folder / "state.json").write_text(json.dumps(state))
    down(folder, Console())
    assert bystander.poll() is None
    Up(folder).ready()
    assert bystander.poll() is None


def test_a_copied_record_of_another_clone_is_ignored(folder: Path, tmp_path: Path) -> None:
    Up(folder).ready()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "state.json").write_text((folder / "state.json").read_text())
    down(copy, Console())
    assert look(copy, probe)["parts"] == []
    assert look(folder, probe)["ready"]


@pytest.mark.parametrize("text", ["", "{", '{"folder": 3}'])
def test_a_damaged_record_counts_as_none(folder: Path, text: str) -> None:
    (folder / "state.json").write_text(text)
    down(folder, Console())
    Up(folder).ready()


def test_the_record_says_which_process_it_means() -> None:
    mine = identify(os.getpid())
    assert mine is not None
    assert find(mine) is not None
    assert find({"pid": mine["pid"], "started": mine["started"] - 60}) is None
    assert find(None) is None


def test_down_right_after_parts_died_leaves_nothing(folder: Path) -> None:
    """Parts end while the supervisor is frozen; it notices and is told to stop at the same moment."""
    stack = Up(folder).ready()
    stack.process.send_signal(signal.SIGSTOP)
    for name in ("gateway", "worker"):
        os.kill(pids(folder)[name], signal.SIGKILL)
    down(folder, Console())
    assert stack.process.wait(60) == 0
    assert alive(folder) == []
