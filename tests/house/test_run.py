"""The one command that checks everything: it runs all steps, shows what failed, ends with pytest's line."""

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import run
from tests.house.source import ROOT

GOOD = "def test_a() -> None: ...\n"
BAD = "def test_b() -> None:\n    assert 1 == 2\n"
LONG = "import pytest\n\n\n@pytest.mark.long\ndef test_c() -> None: ...\n"
SERVERS = "import os\n\n\ndef test_d() -> None:\n    assert os.environ['PICKLY_TEST_SERVERS'] == {!r}\n"
PATIENT = """\
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.fixture
def server():
    (HERE / "started").touch()
    yield
    (HERE / "stopped").touch()

def test_e(server) -> None:
    time.sleep(60)
"""


def step(name: str, code: str) -> run.Step:
    """A check that runs this Python code."""
    return run.Step(name, (sys.executable, "-c", code))


def checked(folder: Path, text: str, *options: str, steps: Sequence[run.Step] = ()) -> int:
    """Run the command on a planted test module."""
    module = folder / "test_planted.py"
    module.write_text(text)
    return run.main([*options, str(module)], steps, report=folder / "report")


def test_the_last_line_is_pytests_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = checked(tmp_path, GOOD)

    assert code == 0
    assert re.fullmatch(r"=+ 1 passed in [\d.]+s =+", capfd.readouterr().out.splitlines()[-1])


def test_a_failing_test_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, GOOD + BAD) == 1
    assert "1 failed, 1 passed" in capfd.readouterr().out


def test_no_test_at_all_is_a_failure(tmp_path: Path) -> None:
    assert checked(tmp_path, "") == 1


def test_long_tests_run_only_when_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, GOOD + LONG) == 0
    assert "1 passed, 1 deselected" in capfd.readouterr().out

    assert checked(tmp_path, GOOD + LONG, "--all") == 0
    assert "2 passed" in capfd.readouterr().out


def test_a_path_runs_no_other_check(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, GOOD, steps=[step("never", "raise SystemExit(1)")]) == 0
    assert "never" not in capfd.readouterr().out


def test_every_step_runs_and_a_failing_one_is_shown_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "pytest_command", lambda *_, **__: [sys.executable, "-c", "print('1 passed')"])
    steps = [
        step("first", "print('all is well')"),
        step(
            "second",
            "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr); sys.exit(3)",
        ),
        step("third", "pass"),
    ]

    code = run.main([], steps, report=tmp_path)

    assert code == 1
    said = capfd.readouterr().out
    assert re.search(r"^first +[\d.]+ s  ok$", said, re.MULTILINE)
    assert re.search(r"^second +[\d.]+ s  FAILED \(exit code 3\)\nout\nerr\n", said, re.MULTILINE)
    assert re.search(r"^third +[\d.]+ s  ok\n", said, re.MULTILINE)
    assert said.endswith("1 passed\nfailed: second\n")
    assert "all is well" not in said


def test_it_checks_format_lint_types_imports_and_generated_files_in_this_order() -> None:
    assert [s.name for s in run.STEPS] == ["format", "lint", "types", "imports", "generated files"]


def test_the_report_counts_the_tests(tmp_path: Path) -> None:
    checked(tmp_path, GOOD + LONG, "--all")

    suite = ET.parse(tmp_path / "report/junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("tests") == "2"


def test_servers_of_your_own_are_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PICKLY_TEST_SERVERS", "servers/env")

    assert checked(tmp_path, SERVERS.format(str(tmp_path / "servers/env"))) == 0


def test_a_path_is_relative_to_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_here.py").write_text(GOOD + BAD)
    monkeypatch.chdir(tmp_path)

    assert run.main(["test_here.py::test_a"], report=tmp_path) == 0


def test_sigterm_gives_tests_the_time_to_stop_their_servers(tmp_path: Path) -> None:
    (tmp_path / "test_patient.py").write_text(PATIENT)
    folder = str(tmp_path)
    call = f"run.main([{folder!r}], report=Path({folder!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", f"from pathlib import Path; from tests import run; exit({call})"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell starts a job with `&`
    )
    while not (tmp_path / "started").exists() and process.poll() is None:
        time.sleep(0.05)

    process.send_signal(signal.SIGTERM)

    assert process.wait(120) == 1
    assert (tmp_path / "stopped").exists()
