"""`./pickly`: what it says before anything is installed, and how it makes and renews .pickly/venv."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STACK = ("up", "down", "status", "reset", "logs")
WORDS = (*STACK, "test", "topics", "seed", "check", "token", "migrate", "lag", "trace", "mail")
# Stands in for .pickly/venv/bin/python: pip says what a file says, everything else shows what it was given.
PYTHON = """\
#!/bin/sh
here=$(dirname "$0")
if [ "$2" = pip ]; then echo "$@" >> "$here/pip.calls"; cat "$here/pip.says"; exit $(cat "$here/pip.code"); fi
echo "$@"; env | grep -E '^(PICKLY_|PYTHONPATH)' | sort
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, as far as the launcher looks."""
    shutil.copy(ROOT / "pickly", tmp_path / "pickly")
    (tmp_path / "infra/locks").mkdir(parents=True)
    for lock in ("local", "dev"):
        (tmp_path / f"infra/locks/{lock}.txt").write_text(f"{lock}==1.0 \\\n    --hash=sha256:00\n")
    return tmp_path


@pytest.fixture
def venv(clone: Path) -> Path:
    """A .pickly/venv whose python is a stand-in."""
    folder = clone / ".pickly/venv/bin"
    folder.mkdir(parents=True)
    (folder / "pip").touch()
    (folder / "pip.code").write_text("0")
    (folder / "pip.says").write_text("Collecting local==1.0\nInstalling collected packages: local\n")
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    return folder


def _run(
    clone: Path, *arguments: str, before: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the launcher; `before` is Python that changes the interpreter first."""
    after = "sys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    script = f"import runpy, sys\n{before}\n{after}"
    command: Sequence[str] = [sys.executable, "-c", script, str(clone / "pickly"), *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PICKLY_")}
    return subprocess.run(
        command, env={**clean, **(env or {})}, cwd=clone, capture_output=True, text=True, check=False
    )


def _pip_calls(venv: Path) -> list[str]:
    file = venv / "pip.calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_tells_every_word_and_installs_nothing(clone: Path, arguments: tuple[str, ...]) -> None:
    ran = _run(clone, *arguments)
    assert ran.returncode == 0
    assert all(f"\n  {word} " in ran.stdout for word in WORDS)
    assert max(len(line) for line in ran.stdout.splitlines()) <= 100
    assert not (clone / ".pickly").exists()


def test_an_unknown_word_is_an_error_that_points_to_help(clone: Path) -> None:
    ran = _run(clone, "upp")
    assert ran.returncode != 0
    assert "no word 'upp'" in ran.stderr
    assert "--help" in ran.stderr


def test_in_a_fresh_clone_status_answers_without_installing(clone: Path) -> None:
    ran = _run(clone, "status", "--json")
    assert json.loads(ran.stdout) == {"ready": False, "gateway": None, "parts": []}
    assert ran.returncode == 1
    assert _run(clone, "down").returncode == 0
    assert not (clone / ".pickly").exists()


def test_a_python_that_is_too_old_says_so(clone: Path) -> None:
    ran = _run(clone, "up", before="sys.version_info = (3, 9, 0)", env={"PATH": ""})
    assert ran.returncode != 0
    assert "Python 3.11 or newer is needed" in ran.stderr


def test_a_python_that_is_too_old_hands_over_to_a_newer_one_beside_it(clone: Path, tmp_path: Path) -> None:
    newer = tmp_path / "bin/python3.12"
    newer.parent.mkdir()
    newer.write_text('#!/bin/sh\necho "newer: $@"\n')
    newer.chmod(0o755)
    ran = _run(clone, "up", "--each", before="sys.version_info = (3, 9, 0)", env={"PATH": str(newer.parent)})
    assert ran.stdout == f"newer: {clone / 'pickly'} up --each\n"


def test_a_python_without_venv_says_which_package_to_install(clone: Path) -> None:
    ran = _run(clone, "up", before="sys.modules['ensurepip'] = None")
    assert ran.returncode != 0
    assert "apt install python3-venv" in ran.stderr


def test_packages_are_installed_once_and_only_with_hashes(clone: Path, venv: Path) -> None:
    for _ in range(2):
        ran = _run(clone, "up", "--detach")
        assert ran.stdout.startswith("-m infra.local up --detach\n")
    (call,) = _pip_calls(venv)
    assert "--require-hashes" in call
    assert call.endswith("infra/locks/local.txt")


def test_a_changed_lock_brings_the_packages_up_to_date(clone: Path, venv: Path) -> None:
    _run(clone, "up")
    (clone / "infra/locks/local.txt").write_text("local==2.0 \\\n    --hash=sha256:11\n")
    ran = _run(clone, "up")
    assert "The locks changed" in ran.stderr
    assert len(_pip_calls(venv)) == 2


def test_the_tests_need_the_larger_lock_and_it_serves_for_everything(clone: Path, venv: Path) -> None:
    _run(clone, "up")
    ran = _run(clone, "test", "--all", "tests/x.py")
    assert ran.stdout.startswith("-m tests.run --all tests/x.py\n")
    _run(clone, "up")
    assert [call.rpartition("/")[2] for call in _pip_calls(venv)] == ["local.txt", "dev.txt"]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("WARNING: Retrying (Retry(total=1)) ...\nERROR: No matching distribution found for x", "a network?"),
        ("ERROR: No matching distribution found for x", "no wheel for this machine"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the file that the lock names"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
    ],
)
def test_a_failed_installation_says_what_to_do_and_is_tried_again(
    clone: Path, venv: Path, said: str, advice: str
) -> None:
    (venv / "pip.code").write_text("1")
    (venv / "pip.says").write_text(said)
    for times in (1, 2):
        ran = _run(clone, "up")
        assert ran.returncode != 0
        assert advice in ran.stderr
        assert said.splitlines()[-1] in ran.stderr
        assert len(_pip_calls(venv)) == times


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("seed", "movielens", "--limit", "5"), "-m clients.movielens seed movielens --limit 5"),
        (("check", "movielens"), "-m clients.movielens check movielens"),
        (("token", "ada"), "-m infra.ops.token ada"),
        (("topics", "diff"), "-m infra.ops.topics diff"),
        (("mail", "--to", "a@b"), "-m infra.ops.mail --to a@b"),
        (("migrate",), "-m infra.ops.migrate"),
        (("logs", "gateway", "-f"), "-m infra.local logs gateway -f"),
    ],
)
def test_each_word_is_a_module(clone: Path, venv: Path, arguments: tuple[str, ...], expected: str) -> None:
    lines = _run(clone, *arguments).stdout.splitlines()
    assert lines[0] == expected
    assert f"PYTHONPATH={clone}" in lines


def test_commands_know_the_stack_that_up_wrote_down_and_the_users_own_variables_win(
    clone: Path, venv: Path
) -> None:
    (clone / ".pickly/env").write_text(
        "export PICKLY_KAFKA=127.0.0.1:1\nexport PICKLY_SECRETS='/a b/secrets'\n"
    )
    lines = _run(clone, "token", "ada", env={"PICKLY_KAFKA": "127.0.0.1:2"}).stdout.splitlines()
    assert "PICKLY_SECRETS=/a b/secrets" in lines
    assert "PICKLY_KAFKA=127.0.0.1:2" in lines


@pytest.mark.parametrize("word", ["up", "test"])
def test_up_and_test_do_not_take_the_address_of_a_running_stack(clone: Path, venv: Path, word: str) -> None:
    (clone / ".pickly/env").write_text("export PICKLY_KAFKA=127.0.0.1:1\n")
    assert "PICKLY_KAFKA" not in _run(clone, word).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: needs root")
def test_a_folder_of_another_user_is_not_touched(clone: Path, venv: Path) -> None:
    os.chown(clone / ".pickly", 54321, 54321)
    ran = _run(clone, "up")
    assert "belongs to another user (uid 54321)" in ran.stderr
    assert _pip_calls(venv) == []


def test_the_real_locks_hold_hashes_and_the_larger_one_holds_the_smaller() -> None:
    pinned = {}
    for name in ("local", "dev"):
        lines = (ROOT / f"infra/locks/{name}.txt").read_text().splitlines()
        pinned[name] = {line.split(" ")[0] for line in lines if line[:1].isalnum()}
        assert sum("--hash=sha256:" in line for line in lines) >= len(pinned[name])
    assert pinned["local"] <= pinned["dev"]
