"""What stands still is built anew by the supervisor: once each time, in the record, and never in a loop."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from infra.console import Console
from infra.local import healing
from infra.local.healing import Care
from infra.local.parts import Part
from infra.local.state import PartState, find, read
from infra.local.status import look
from infra.local.supervisor import Supervisor
from tests.infra.local.standin import parts_of, probe, starts
from tests.infra.local.waiting import until

CURES = """
import pathlib, sys
here = pathlib.Path(sys.argv[1])
(here / "log").open("a").write(sys.argv[2] + "\\n")
"""


class Ward:
    """Files `ill.<name>` say who is ill; a cure notes down its words, and then does what `cures` says."""

    def __init__(self, folder: Path, cures: str) -> None:
        self.folder = folder
        self.cures = cures
        self.seen: list[str] | None = None

    def look(self) -> list[str]:
        self.seen = [file.name.removeprefix("ill.") for file in sorted(self.folder.glob("ill.*"))]
        return self.seen

    def fall_ill(self, name: str) -> None:
        (self.folder / f"ill.{name}").touch()

    def cure(self, name: str) -> Sequence[Part]:
        def part(words: str) -> Part:
            command = [sys.executable, "-c", CURES + self.cures, str(self.folder), words, name]
            return Part(
                "rebuild", lambda: command, self.folder, self.folder / "logs/rebuild.log", stop_seconds=5
            )

        return [part(f"{name} first"), part(f"{name} then")]

    @property
    def done(self) -> list[str]:
        """What the cures noted down."""
        file = self.folder / "log"
        return file.read_text().splitlines() if file.exists() else []


Make = Callable[[Ward], Supervisor]
HEAL = "(here / f'ill.{sys.argv[3]}').unlink() if 'then' in sys.argv[2] else None"
FAIL = "sys.exit(3)"
WAIT = "import time; time.sleep(600)"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes supervisors that look often."""
    made: list[Supervisor] = []
    monkeypatch.setattr(healing.Healer.__init__, "__defaults__", (0.05,))

    def supervisor(ward: Ward) -> Supervisor:
        care = Care(ward.look, ("picks", "things"), ward.cure)
        made.append(Supervisor(tmp_path, parts_of(tmp_path)[:1], Console(), care=care))
        return made[-1]

    yield supervisor
    for one in made:
        one.stop()


def record(folder: Path) -> PartState:
    state = read(folder)
    assert state is not None
    return next(part for part in state["parts"] if part["name"] == "rebuild")


def test_who_falls_ill_is_healed_once_each_time_and_it_is_said(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ward = Ward(tmp_path, HEAL)
    assert make(ward).start()
    for times in (1, 2):
        ward.fall_ill("picks")
        until(lambda times=times: ward.done == ["picks first", "picks then"] * times, "it is healed")  # type: ignore[misc]  # bound at once
        until(lambda: ward.seen == [] and record(tmp_path)["state"] == "done", "it is seen to be well")
    said = capsys.readouterr().out
    assert said.count("picks may have missed what is gone: it is built anew from the log") == 2
    assert said.count("picks was built anew") == 2
    assert look(tmp_path, probe)["ready"]


def test_a_cure_that_fails_is_not_tried_again_and_status_says_so(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ward = Ward(tmp_path, FAIL)
    ward.fall_ill("picks")
    make(ward).start()
    until(lambda: record(tmp_path)["state"] == "failed", "it failed")
    ward.fall_ill("things")
    until(lambda: "things first" in ward.done, "the next one has its turn")
    until(
        lambda: "things" in record(tmp_path)["why"] and record(tmp_path)["state"] == "failed", "it failed too"
    )
    assert ward.done == ["picks first", "things first"]
    assert "Try it by hand: ./pickly rebuild picks" in capsys.readouterr().out
    status = look(tmp_path, probe)
    assert not status["ready"]
    assert "ended with exit code 3; its log is" in status["parts"][-1]["why"]


def test_what_no_cure_is_known_for_is_told_once(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ward = Ward(tmp_path, HEAL)
    ward.fall_ill("curation")
    ward.fall_ill("things")
    make(ward).start()
    until(lambda: ward.seen == ["curation"], "the other one is healed")
    assert "curation first" not in ward.done
    said = "curation stands still, and cannot be built anew: see docs/runbooks/rebuild.md"
    assert capsys.readouterr().out.count(said) == 1


def test_while_one_is_healed_parts_may_take_their_time_to_be_ready(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.supervisor.START_SECONDS", 2)
    (tmp_path / "server.unready").write_text("picks: stale")
    ward = Ward(
        tmp_path, f"import time; time.sleep(2); {HEAL}; (here / 'server.unready').unlink(missing_ok=True)"
    )
    ward.fall_ill("picks")
    assert make(ward).start()
    assert starts(tmp_path, "server") == 1


def test_stopping_ends_the_cure(tmp_path: Path, make: Make) -> None:
    ward = Ward(tmp_path, WAIT)
    ward.fall_ill("picks")
    supervisor = make(ward)
    supervisor.start()
    until(lambda: record(tmp_path)["state"] == "running" and ward.done != [], "it is at it")
    process = record(tmp_path)["process"]
    assert look(tmp_path, probe)["parts"][-1]["why"] == "picks is built anew"
    supervisor.stop()
    until(lambda: find(process) is None, "it is gone")
    assert ward.done == ["picks first"]
