"""The packages are flat and not installed: their names mean this repository, whatever else is installed."""

import importlib.machinery
import importlib.metadata
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import ROOT

PACKAGES: Final = ("schemas", "infra", "producers", "consumers", "gateway", "clients", "tests")


def resolves_to(package: str) -> Path | None:
    """The folder that `import package` would take in a fresh interpreter with this `sys.path`."""
    found = importlib.machinery.PathFinder.find_spec(package, sys.path)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_name_means_this_repository(package: str) -> None:
    assert resolves_to(package) == ROOT / package


@pytest.mark.parametrize("package", PACKAGES)
def test_no_installed_distribution_has_the_name(package: str) -> None:
    assert package not in importlib.metadata.packages_distributions()


def test_a_distribution_with_our_name_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/__init__.py").touch()
    (tmp_path / "planted-1.0.dist-info").mkdir()
    (tmp_path / "planted-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n"
    )
    (tmp_path / "planted-1.0.dist-info/top_level.txt").write_text("schemas\n")

    monkeypatch.syspath_prepend(tmp_path)

    assert importlib.metadata.packages_distributions()["schemas"] == ["planted"]
    assert resolves_to("schemas") == tmp_path / "schemas"
