"""The import contracts of pyproject.toml hold, and each is seen to break on a planted import."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.house.source import ROOT

LINTER: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS: Final[list[dict[str, Any]]] = LINTER["contracts"]
PACKAGES: Final[list[str]] = LINTER["root_packages"]
GROUPS: Final = sorted(
    app.parent.relative_to(ROOT).as_posix().replace("/", ".") for app in (ROOT / "consumers").rglob("app.py")
)
# contract -> (the module that gets a line, the line)
PLANTED: Final[dict[str, list[tuple[str, str]]]] = {
    "Dependencies point down": [
        ("schemas/planted.py", "import infra.settings"),
        ("infra/planted.py", "import producers"),
        ("producers/planted.py", "import gateway"),
        ("producers/planted.py", "import consumers"),
        ("gateway/planted.py", "import consumers"),
        ("consumers/planted.py", "import gateway"),
    ],
    "Consumers do not know one another": [
        ("consumers/social/planted.py", "import consumers.curation.app"),
        ("consumers/projections/picks/planted.py", "import consumers.projections.things.app"),
    ],
    "Consumers return messages; they never send": [("consumers/curation/planted.py", "import producers")],
    "The contract is pure": [
        ("schemas/planted.py", f"import {driver}") for driver in ("asyncpg", "fastapi", "faststream")
    ],
    "Only infra and producers know Kafka": [
        ("gateway/planted.py", "from aiokafka import AIOKafkaProducer"),
        ("consumers/social/planted.py", "from faststream.kafka import KafkaBroker"),
    ],
    "Clients know HTTP only": [
        ("clients/python/planted.py", "import schemas.picks"),
        ("clients/python/planted.py", "import infra.settings"),
    ],
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages that lie in `folder`."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def verdicts(output: str) -> dict[str, str]:
    """Contract name -> KEPT or BROKEN, as import-linter prints them."""
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", output, re.MULTILINE))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their configuration, somewhere else."""
    folder = tmp_path_factory.mktemp("imports")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=_all_but_python)
    return folder


def _all_but_python(folder: str, names: list[str]) -> list[str]:
    return [n for n in names if not n.endswith(".py") and (n in ("__pycache__", "node_modules") or "." in n)]


def test_the_contracts_hold() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert verdicts(done.stdout) == dict.fromkeys((c["name"] for c in CONTRACTS), "KEPT")


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [(contract, module, line) for contract, cases in PLANTED.items() for module, line in cases],
)
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str, module: str, line: str) -> None:
    planted = copy / module
    planted.write_text(f'"""Planted."""\n\n{line}\n')

    done = lint(copy)
    planted.unlink()

    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(done.stdout)[contract] == "BROKEN"


def test_every_contract_is_seen_to_break() -> None:
    assert set(PLANTED) == {contract["name"] for contract in CONTRACTS}


def test_every_consumer_is_in_the_independence_contract() -> None:
    [independence] = [c for c in CONTRACTS if c["type"] == "independence"]

    assert sorted(independence["modules"]) == GROUPS


def test_every_package_is_linted_and_has_its_layer() -> None:
    [layers] = [c for c in CONTRACTS if c["type"] == "layers"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"clients"}

    assert set(PACKAGES) == packages - {"tests"}
    assert {name for layer in layers["layers"] for name in layer.split(" | ")} == set(PACKAGES) - {"clients"}
