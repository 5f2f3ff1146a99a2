"""`up` as a process of its own: signals, a second `up`, busy ports, `down` and `reset`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.console import Console
from infra.local import up as up_module
from infra.local.down import down, reset
from infra.local.errors import StackError
from infra.local.ports import is_free
from infra.local.status import look
from tests.infra.local.running import Up, alive, pids, state_of, states
from tests.infra.local.standin import NAMES, PROGRAM, ends, probe, starts
from tests.infra.local.waiting import until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_it_started_and_nothing_else(
    folder: Path, bystander: subprocess.Popen[bytes], number: int
) -> None:
    stack = Up(folder).ready()
    assert alive(folder) == list(NAMES)
    assert stack.end(number) == 0
    assert alive(folder) == []
    assert [ends(folder, name) for name in NAMES] == [1, 1, 1]
    assert bystander.poll() is None


def test_ctrl_c_while_it_starts_stops_what_was_started(folder: Path) -> None:
    (folder / "worker.unready").write_text("loading")
    stack = Up(folder)
    until(lambda: starts(folder, "worker") == 1, "the worker starts")
    assert stack.end(signal.SIGINT) == 0
    assert alive(folder) == []
    assert starts(folder, "gateway") == 0


def test_a_start_that_fails_stops_what_was_started_and_exits_with_an_error(folder: Path) -> None:
    (folder / "gateway.crash").touch()
    stack = Up(folder)
    assert stack.process.wait(60) == 1
    assert "the reactor is on fire" in stack.output.read_text()
    assert alive(folder) == []
    assert ends(folder, "server") == 1


def test_down_stops_everything_and_status_follows(folder: Path) -> None:
    stack = Up(folder).ready()
    assert look(folder, probe)["ready"]
    down(folder, Console())
    assert stack.process.wait(60) == 0
    assert set(states(folder).values()) == {"stopped"}
    assert not look(folder, probe)["ready"]


def test_a_second_up_uses_what_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Up(folder).ready()
    before = pids(folder)
    second = Up(folder)
    assert second.process.wait(60) == 0
    assert "It runs already" in second.output.read_text()
    assert state_of(folder)["gateway"] in second.output.read_text()
    assert pids(folder) == before


def test_a_second_up_waits_for_a_first_that_is_still_starting(folder: Path) -> None:
    (folder / "gateway.unready").write_text("loading")
    Up(folder)
    until(lambda: starts(folder, "gateway") == 1, "the first up starts the gateway")
    second = Up(folder)
    until(lambda: "waiting" in second.output.read_text(), "the second says that it waits")
    assert second.process.poll() is None
    (folder / "gateway.unready").unlink()
    assert second.process.wait(60) == 0


def test_a_second_up_with_other_options_is_refused(folder: Path) -> None:
    Up(folder).ready()
    with pytest.raises(StackError, match=r"with other options: \./pickly down first"):
        up_module.follow(folder, up_module.Shape(gateway_port=1), Console())


def test_two_clones_do_not_disturb_each_other(tmp_path: Path) -> None:
    clones = [tmp_path / "one", tmp_path / "two"]
    for clone in clones:
        clone.mkdir()
    stacks = [Up(clone) for clone in clones]
    for stack in stacks:
        stack.ready()
    down(clones[0], Console())
    assert alive(clones[0]) == []
    stacks[1].ready()
    down(clones[1], Console())


def test_a_busy_saved_port_stops_the_start_and_names_who_holds_it(folder: Path) -> None:
    Up(folder).ready().end(signal.SIGTERM)
    port = json.loads((folder / "ports.json").read_text())["gateway"]
    squatter = subprocess.Popen([sys.executable, str(PROGRAM), str(folder), "squatter", str(port)])
    try:
        until(lambda: not is_free(port), "the port is held")
        again = Up(folder)
        assert again.process.wait(60) == 1
        assert f"port {port} is held by" in again.output.read_text()
        assert f"(pid {squatter.pid}:" in again.output.read_text()
        assert starts(folder, "server") == 1
    finally:
        squatter.kill()
        squatter.wait()


def test_reset_stops_and_deletes_all_but_what_was_downloaded(folder: Path) -> None:
    (folder / "venv").mkdir()
    (folder / "jars").mkdir()
    (folder / "postgres").mkdir()
    stack = Up(folder).ready()
    assert reset(folder, Console(), sure=True) == 0
    assert stack.process.wait(60) == 0
    assert {path.name for path in folder.iterdir()} == {"venv", "jars", "lock"}


def test_reset_without_a_terminal_wants_yes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "postgres").mkdir()
    monkeypatch.setattr("sys.stdin", (folder / "lock").open("w+"))
    with pytest.raises(StackError, match="reset --yes"):
        reset(folder, Console(), sure=False)
    assert (folder / "postgres").exists()


def test_a_disk_without_room_is_refused_before_anything_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up_module, "ROOM_MB", 2**40)
    with pytest.raises(StackError, match=r"MB are free .* make room"):
        up_module.run(folder, up_module.Shape(), lambda: pytest.fail("planned"), Console())
