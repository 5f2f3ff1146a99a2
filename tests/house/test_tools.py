"""The settings of ruff and mypy in pyproject.toml do what the house rules say: each is seen to fail."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT

DOC: Final = '"""A module."""\n\n'
BRANCHES: Final = "".join(f"    if n == {n}:\n        print_it(n)\n" for n in range(8))
UNLINTED: Final = {
    "C901": f"{DOC}def f(n: int) -> None:\n{BRANCHES}",
    "D100": "X = 1\n",
    "T201": f'{DOC}print("x")\n',
    "ERA001": f"{DOC}# x = f(1)\n",
    "DTZ005": f"{DOC}from datetime import datetime\n\nX = datetime.now()\n",
    "ASYNC251": f"{DOC}import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n",
    "S105": f'{DOC}password = "hunter2"\n',
    "PGH003": f"{DOC}X: int = f()  # type" + ": ignore\n",
    "E501": f"{DOC}X = '{'x' * 120}'\n",
}
UNTYPED: Final = {
    "no-untyped-def": "def f(x):\n    return x\n",
    "no-any-return": "from typing import Any\n\n\ndef f(x: Any) -> int:\n    return x\n",
    "type-arg": "def f(x: list) -> None: ...\n",
    "call-arg": "from schemas.topics import Topic\n\nX = Topic('a', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)\n",
    "unused-ignore": "X: int = 1  # type" + ": ignore[assignment]  # planted\n",
}
EIGHT_WAYS: Final = f"{DOC}def f(n: int) -> None:\n{BRANCHES.partition('    if n == 7')[0]}"


def ruff(text: str) -> str:
    """What `ruff check` says about a module of ours with this text."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise"]
    done = subprocess.run(
        [*command, "--stdin-filename=infra/planted.py", "-"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(("code", "text"), UNLINTED.items())
def test_ruff_refuses(code: str, text: str) -> None:
    assert f" {code} " in ruff(text)


def test_ruff_allows_a_complexity_of_eight() -> None:
    assert "C901" not in ruff(EIGHT_WAYS)


def test_mypy_looks_at_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["packages"]) == packages


def test_mypy_is_strict(tmp_path: Path) -> None:
    planted = {
        tmp_path / f"planted_{code.replace('-', '_')}.py": (code, text) for code, text in UNTYPED.items()
    }
    for path, (_, text) in planted.items():
        path.write_text(text)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", f"--cache-dir={tmp_path / 'cache'}", *map(str, planted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    for path, (code, _) in planted.items():
        assert any(path.name in line and f"[{code}]" in line for line in done.stdout.splitlines()), (
            done.stdout
        )
