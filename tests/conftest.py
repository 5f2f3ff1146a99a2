"""Real servers for every test: Kafka, PostgreSQL, Valkey, S3 and a mailbox, started once for a run."""

import os
import shlex
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from infra.ops.migrate import migrate
from infra.settings import Settings
from infra.settings import settings as process_settings


def read_env(path: Path) -> dict[str, str]:
    """The variables that `python -m infra.local.servers FOLDER` wrote as `export NAME=value` lines."""
    words = (shlex.split(line.removeprefix("export ")) for line in path.read_text().splitlines() if line)
    return dict(word[0].split("=", 1) for word in words)


@pytest.fixture(scope="session")
def server_env() -> Iterator[dict[str, str]]:
    """PICKLY_* variables of running servers: those of PICKLY_TEST_SERVERS if set, else a set of our own."""
    shared = os.environ.get("PICKLY_TEST_SERVERS")
    if shared:
        yield read_env(Path(shared))
        return
    from infra.local.servers import start_servers

    with tempfile.TemporaryDirectory(prefix="pickly-test-", ignore_cleanup_errors=True) as folder:
        servers = start_servers(Path(folder))
        try:
            yield servers.env
        finally:
            servers.stop()


@pytest.fixture(scope="session")
def settings(server_env: dict[str, str]) -> Iterator[Settings]:
    """The settings of this run; `infra.settings.settings()` gives the same."""
    before = dict(os.environ)
    os.environ.update(server_env)
    process_settings.cache_clear()
    yield process_settings()
    os.environ.clear()
    os.environ.update(before)
    process_settings.cache_clear()


@pytest.fixture(scope="session")
async def migrated(settings: Settings) -> AsyncIterator[Settings]:
    """Settings of a database of this run's own, with every schema and role."""
    name = f"pickly_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(settings.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name} OWNER migrate")
    own = settings.model_copy(update={"database": f"{settings.database.rpartition('/')[0]}/{name}"})
    await migrate(own)
    yield own
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
