"""A clone with a stand-in stack, and a bystander that nobody may stop."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.console import Console
from infra.local.down import down
from infra.local.servers import Servers, start_servers
from tests.infra.local.running import Up
from tests.infra.local.standin import PROGRAM, starts
from tests.infra.local.waiting import until


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real servers of these tests' own, which kill them."""
    started = start_servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A clone's .pickly; whatever runs of it at the end is stopped."""
    home = tmp_path / ".pickly"
    home.mkdir()
    yield home
    Up.end_all()
    down(home, Console())


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The same program as the parts run, started by somebody else."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path), "bystander", "0"])
    until(lambda: starts(tmp_path, "bystander") == 1, "the bystander runs")
    yield process
    process.kill()
    process.wait()
