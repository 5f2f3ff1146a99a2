"""The real platform in a clone of its own: up, kill -9 of everything, up again with every row, down."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from infra.local.postgres_home import RECORD
from infra.local.status import Status
from infra.runtime.positions import STALE
from infra.settings import Settings
from tests.infra.local.waiting import until

ROOT = Path(__file__).parents[3]
PARTS = ("kafka", "postgres", "valkey", "s3", "mail", "relay", "clock", "groups", "gateway")
PICK = {"thing": {"ref": "https://example.org/kept", "kind": "article", "title": "Kept"}, "rating": 4.5}


class Clone:
    """A copy of this tree that shares what is only downloaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(
            ".pickly", ".git", "__pycache__", ".*_cache", "tests", "node_modules"
        )
        shutil.copytree(ROOT, folder, ignore=ignored)
        (folder / ".pickly").mkdir()
        (folder / ".pickly/jars").symlink_to(ROOT / ".pickly/jars")

    def run(self, *arguments: str, module: str = "infra.local") -> subprocess.CompletedProcess[str]:
        """`./pickly` without its launcher."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=os.environ | self.environment() | {"PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """What `up` wrote down."""
        file = self.folder / ".pickly/env"
        lines = file.read_text().splitlines() if file.exists() else []
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    def status(self) -> Status:
        """`status --json`."""
        status: Status = json.loads(self.run("status", "--json").stdout)
        return status

    def processes(self) -> list[psutil.Process]:
        """Everything that runs because of this clone, found without its records."""
        record = self.folder / ".pickly/postgres" / RECORD
        outside = json.loads(record.read_text())["outside"] if record.exists() else str(self.folder)
        return [p for p in psutil.process_iter() if any(t in _text(p) for t in (str(self.folder), outside))]


def _text(process: psutil.Process) -> str:
    """Command line, folder and environment, as far as this user may see them (servers hide some)."""
    text = ""
    for attribute in ("cmdline", "cwd", "environ"):
        with suppress(psutil.Error):
            text += str(getattr(process, attribute)())
    return text


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """A clone that is cleaned away whatever happens."""
    made = Clone(tmp_path / "clone")
    yield made
    made.run("reset", "--yes")


async def fall_behind(clone: Clone) -> None:
    """Let a partition say what it says when it was away for too long."""
    settings = Settings(
        database=clone.environment()["PICKLY_DATABASE"], secrets=clone.folder / ".pickly/secrets"
    )
    db = await asyncpg.connect(settings.dsn("read_picks"), ssl=False)
    await db.execute("UPDATE position SET stopped = $1 || 'for a test' WHERE partition = 0", STALE)
    await db.close()


def publish(clone: Clone, gateway: str) -> httpx.Response:
    """A pick of Ada's, visible."""
    token = clone.run("ada", module="infra.ops.token").stdout.strip()
    headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=10"}
    made = httpx.post(f"{gateway}/v1/picks", json=PICK, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    return made


def is_built_anew(clone: Clone) -> None:
    """The supervisor does so by itself, once, and says so."""
    said = clone.folder / ".pickly/logs/up.log"
    until(lambda: "read_picks was built anew" in said.read_text(), "it is built anew")
    assert said.read_text().count("read_picks may have missed what is gone") == 1
    until(lambda: clone.status()["ready"], "it is ready")


def test_up_kill_everything_up_down(clone: Clone) -> None:
    # given the platform, as its own last words say
    up = clone.run("up", "--detach")
    assert up.returncode == 0, up.stdout
    (curl,) = [line.split() for line in up.stdout.splitlines() if line.startswith("  curl ")]
    assert httpx.get(curl[-1]).json() == {"items": [], "next": None}
    assert httpx.get(curl[-1].replace("/v1/feeds/latest", "/docs")).status_code == 200
    status = clone.status()
    assert status["ready"]
    assert tuple(part["name"] for part in status["parts"]) == PARTS
    # and a pick, and a read model that was built anew, since it may have missed something
    made = publish(clone, str(status["gateway"]))
    asyncio.run(fall_behind(clone))
    is_built_anew(clone)
    # when everything is killed at once
    processes = clone.processes()
    assert len(processes) > len(PARTS)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)
    # then status says so, and up brings back every row at the same address
    dead = clone.status()
    assert not dead["ready"]
    assert {part["state"] for part in dead["parts"]} == {"stopped"}
    again = clone.run("up", "--detach")
    assert again.returncode == 0, again.stdout
    assert clone.status()["gateway"] == status["gateway"]
    kept = httpx.get(f"{status['gateway']}{made.headers['location']}")
    assert kept.json()["thing"]["title"] == "Kept"
    # and down leaves nothing running
    assert clone.run("down").returncode == 0
    assert clone.processes() == []
