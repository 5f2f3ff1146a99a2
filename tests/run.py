"""One command checks everything: format, lint, types, imports, generated files, then every test.

`python -m tests.run [--all] [PATH ...]`, called by `./pickly test` and by CI. With a PATH only pytest runs.
Running servers (`python -m infra.local.servers FOLDER`) are used when PICKLY_TEST_SERVERS names their file.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / ".pickly" / "test"
CACHES: Final = ROOT / ".pickly" / "cache"
BIN: Final = Path(sys.executable).parent
SERVERS: Final = "PICKLY_TEST_SERVERS"
EPILOG: Final = """\
Exit code 0: everything passed. The report for machines is .pickly/test/junit.xml.
Tests marked `long` run with --all only. A test that does not run says why in the summary.
"""


@dataclass(frozen=True)
class Step:
    """One check: a name for people and a command that fails with another code than 0."""

    name: str
    command: Sequence[str]


STEPS: Final = (
    Step("format", (sys.executable, "-m", "ruff", "format", "--check", ".", "pickly")),
    Step("lint", (sys.executable, "-m", "ruff", "check", ".")),
    Step("types", (sys.executable, "-m", "mypy")),
    Step("imports", (str(BIN / "lint-imports"), "--cache-dir", str(CACHES / "imports"))),
    Step("generated files", (sys.executable, "-m", "infra.ops.docs", "--check")),
)


def main(arguments: Sequence[str], steps: Iterable[Step] = STEPS, report: Path = REPORT) -> int:
    """Run what was asked for; 0 when nothing failed."""
    asked = _parser().parse_args(arguments)
    environment = _environment(os.environ)
    failed = [] if asked.path else [step.name for step in steps if not passes(step, environment)]
    _say("tests")
    report.mkdir(parents=True, exist_ok=True)
    if run_to_the_end(pytest_command(asked.path, long=asked.all, report=report), environment) != 0:
        failed.append("tests")
    if failed:
        _say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def passes(step: Step, environment: dict[str, str]) -> bool:
    """Run one step and print its name, its time and, when it fails, all it said."""
    began = time.monotonic()
    done = subprocess.run(
        step.command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "ok" if done.returncode == 0 else f"FAILED (exit code {done.returncode})"
    _say(f"{step.name:<16} {time.monotonic() - began:6.1f} s  {verdict}")
    if done.returncode != 0:
        _say(done.stdout)
    return done.returncode == 0


def run_to_the_end(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run pytest, its output as it comes, and give its exit code.

    Ctrl-C reaches pytest too, and SIGTERM is handed on as one: it gets the time to stop its servers.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    before = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
    finally:
        signal.signal(signal.SIGTERM, before)


def pytest_command(paths: Sequence[str], *, long: bool, report: Path) -> list[str]:
    """pytest over `paths`, which are relative to where the user stands, or over everything."""
    options = [f"--junitxml={report / 'junit.xml'}", "-o", f"cache_dir={CACHES / 'pytest'}", "--durations=10"]
    selected = [] if long else ["-m", "not long"]
    return [sys.executable, "-m", "pytest", *options, *selected, *map(_absolute, paths)]


def _absolute(path: str) -> str:
    """`tests/x.py::test_y` as pytest takes it from the repository's root."""
    file, colons, name = path.partition("::")
    return f"{Path(file).resolve()}{colons}{name}"


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, with caches in .pickly/ and this repository's packages first."""
    environment = dict(inherited)
    if servers := environment.get(SERVERS):
        environment[SERVERS] = str(Path(servers).resolve())
    return environment | {
        "PYTHONPATH": str(ROOT),
        "RUFF_CACHE_DIR": str(CACHES / "ruff"),
        "MYPY_CACHE_DIR": str(CACHES / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHES / "hypothesis"),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./pickly test",
        description=(__doc__ or "").partition("\n\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--all", action="store_true", help="also what is marked `long`: full faults, load, big input"
    )
    parser.add_argument("path", nargs="*", help="only pytest, only on these files, folders or tests")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
