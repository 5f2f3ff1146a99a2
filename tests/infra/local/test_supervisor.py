"""Starting in stages, restarting with back-off, stopping everything: over stand-in parts."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from infra.console import Console
from infra.local.errors import StackError
from infra.local.parts import Part
from infra.local.ports import is_free
from infra.local.state import PartState, find, read
from infra.local.supervisor import Supervisor
from tests.infra.local.standin import NAMES, ends, parts_of, starts
from tests.infra.local.waiting import until

Make = Callable[[Sequence[Part]], Supervisor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes supervisors that restart fast, and stops what they started."""
    made: list[Supervisor] = []

    def supervisor(parts: Sequence[Part]) -> Supervisor:
        made.append(Supervisor(tmp_path, parts, Console(), back_off=(0.01, 0.1)))
        return made[-1]

    yield supervisor
    for one in made:
        one.stop()


def _part(folder: Path, name: str) -> PartState:
    state = read(folder)
    assert state is not None
    return next(part for part in state["parts"] if part["name"] == name)


def _pid(folder: Path, name: str) -> int:
    process = _part(folder, name)["process"]
    assert process is not None
    return process["pid"]


def _has_restarted(folder: Path, name: str, times: int) -> bool:
    part = _part(folder, name)
    return part["state"] == "running" and part["restarts"] == times


def _once(folder: Path, code: int) -> Part:
    script = f"import sys; sys.stderr.write('no such table'); sys.exit({code})"
    log = folder / "logs/migrate.log"
    return Part("migrate", lambda: [sys.executable, "-c", script], folder, log, stage=1, once=True)


def test_stages_start_one_after_the_other(tmp_path: Path, make: Make) -> None:
    # given
    seen: list[tuple[str, list[str]]] = []

    def noting(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, [n for n in NAMES if starts(tmp_path, n) and n != name]))

    parts = [replace(part, prepare=noting(part.name)) for part in parts_of(tmp_path)]
    # when
    assert make(parts).start()
    # then
    assert seen == [("server", []), ("worker", ["server"]), ("gateway", ["server", "worker"])]
    assert [_part(tmp_path, name)["state"] for name in NAMES] == ["running"] * 3
    assert read(tmp_path)["up"]  # type: ignore[index]  # `_part` has checked that there is a state


def test_a_part_of_the_next_stage_waits_until_the_one_before_is_ready(tmp_path: Path, make: Make) -> None:
    (tmp_path / "server.unready").write_text("loading")
    supervisor = make(parts_of(tmp_path))
    supervisor.stop_asked.set()
    assert not supervisor.start()
    assert starts(tmp_path, "worker") == 0


def test_a_killed_part_is_started_again_and_counted(tmp_path: Path, make: Make) -> None:
    make(parts_of(tmp_path)).start()
    for deaths in (1, 2):
        os.kill(_pid(tmp_path, "worker"), signal.SIGKILL)
        until(partial(_has_restarted, tmp_path, "worker", deaths), "the worker was started again")
        assert starts(tmp_path, "worker") == deaths + 1
    assert starts(tmp_path, "server") == starts(tmp_path, "gateway") == 1


def test_a_part_that_keeps_crashing_waits_longer_each_time_and_says_why(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    make(parts_of(tmp_path)).start()
    (tmp_path / "worker.crash").touch()
    os.kill(_pid(tmp_path, "worker"), signal.SIGKILL)
    until(lambda: _part(tmp_path, "worker")["restarts"] >= 6, "six restarts")
    assert _part(tmp_path, "worker")["state"] == "restarting"
    assert "exit code 3" in _part(tmp_path, "worker")["why"]
    said = capsys.readouterr().out
    pauses = [float(pause) for pause in re.findall(r"worker ended.*again in ([0-9.]+) s", said)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 0.1


def test_a_part_that_recovers_is_running_again(tmp_path: Path, make: Make) -> None:
    make(parts_of(tmp_path)).start()
    (tmp_path / "worker.crash").touch()
    os.kill(_pid(tmp_path, "worker"), signal.SIGKILL)
    until(lambda: _part(tmp_path, "worker")["restarts"] >= 2, "it crashes")
    (tmp_path / "worker.crash").unlink()
    until(lambda: _part(tmp_path, "worker")["state"] == "running", "it runs again")
    assert _part(tmp_path, "worker")["why"] == ""


def test_a_part_that_cannot_start_ends_the_start_with_the_end_of_its_log(tmp_path: Path, make: Make) -> None:
    (tmp_path / "worker.crash").touch()
    with pytest.raises(StackError) as caught:
        make(parts_of(tmp_path)).start()
    assert "worker ended with exit code 3 while starting" in str(caught.value)
    assert "the reactor is on fire" in str(caught.value)
    assert str(tmp_path / "logs/worker.log") in str(caught.value)
    assert starts(tmp_path, "gateway") == 0


def test_whatever_a_hook_raises_the_part_is_stopped_and_tried_again(tmp_path: Path, make: Make) -> None:
    server, *_ = parts_of(tmp_path)

    def finish() -> None:
        if starts(tmp_path, "server") == 1:
            raise ArithmeticError("the first time it fails")

    assert make([replace(server, finish=finish)]).start()
    assert (starts(tmp_path, "server"), ends(tmp_path, "server")) == (2, 1)
    assert _part(tmp_path, "server")["restarts"] == 1


def test_a_program_that_is_not_there_says_what_to_do(tmp_path: Path, make: Make) -> None:
    server, *_ = parts_of(tmp_path)
    with pytest.raises(StackError, match=r"server could not be started: .*delete \.pickly/venv"):
        make([replace(server, command=lambda: [str(tmp_path / "missing")])]).start()


def test_a_one_shot_that_fails_ends_the_start_at_once(tmp_path: Path, make: Make) -> None:
    server, _, gateway = parts_of(tmp_path)
    with pytest.raises(StackError, match=r"(?s)migrate ended with exit code 1.*no such table"):
        make([server, _once(tmp_path, 1), gateway]).start()
    assert starts(tmp_path, "gateway") == 0


def test_a_one_shot_that_succeeds_runs_once(tmp_path: Path, make: Make) -> None:
    server, _, gateway = parts_of(tmp_path)
    assert make([server, _once(tmp_path, 0), gateway]).start()
    assert _part(tmp_path, "migrate")["state"] == "done"
    assert _part(tmp_path, "migrate")["process"] is None


def test_stopping_ends_every_part_gracefully_and_frees_its_port(tmp_path: Path, make: Make) -> None:
    parts = parts_of(tmp_path)
    supervisor = make(parts)
    supervisor.start()
    processes = [_part(tmp_path, name)["process"] for name in NAMES]
    supervisor.stop()
    assert [ends(tmp_path, name) for name in NAMES] == [1, 1, 1]
    assert [find(process) for process in processes] == [None] * 3
    assert [_part(tmp_path, name)["state"] for name in NAMES] == ["stopped"] * 3
    assert all(is_free(part.port or 0) for part in parts)


def test_stopping_while_a_part_starts_leaves_nothing_behind(tmp_path: Path, make: Make) -> None:
    (tmp_path / "server.unready").write_text("loading")
    supervisor = make(parts_of(tmp_path))
    supervisor.stop_asked.set()
    supervisor.start()
    until(lambda: starts(tmp_path, "server") == 1, "it was started")
    supervisor.stop()
    assert _part(tmp_path, "server") | {"since": 0} == _part(tmp_path, "server") | {
        "since": 0,
        "state": "stopped",
        "process": None,
    }
    assert starts(tmp_path, "server") == 1


def test_a_part_that_ignores_the_signal_is_ended_by_force(tmp_path: Path, make: Make) -> None:
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    log = tmp_path / "logs/deaf.log"
    part = Part(
        name="deaf",
        command=lambda: [sys.executable, "-c", deaf],
        folder=tmp_path,
        log=log,
        ready=lambda: None if log.read_text() else "not yet deaf",
        stop_seconds=0.1,
    )
    supervisor = make([part])
    supervisor.start()
    process = _part(tmp_path, "deaf")["process"]
    supervisor.stop()
    until(lambda: find(process) is None, "it is gone")


def test_a_full_log_is_set_aside_at_the_next_start(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.parts.LOG_BYTES", 100)
    server, *_ = parts_of(tmp_path)
    server.log.parent.mkdir()
    server.log.write_text("old\n" * 100)
    make([server]).start()
    assert server.log.with_suffix(".log.1").read_text() == "old\n" * 100
    assert "old" not in server.log.read_text()


def test_a_part_that_cannot_be_stopped_does_not_keep_the_others_running(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    server, worker, gateway = parts_of(tmp_path)

    def stopped() -> None:
        raise OSError("no room for the cache")

    supervisor = make([server, worker, replace(gateway, stopped=stopped)])
    supervisor.start()
    supervisor.stop()
    assert [ends(tmp_path, name) for name in NAMES] == [1, 1, 1]
    assert "gateway could not be stopped: OSError('no room for the cache')" in capsys.readouterr().out
