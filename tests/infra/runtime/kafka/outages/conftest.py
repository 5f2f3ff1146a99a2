"""Servers of our own, since these tests kill them."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from infra.local.servers import Servers, start_servers
from infra.runtime import Db
from infra.settings import Settings
from tests.infra.runtime.conftest import make_schema
from tests.infra.runtime.kafka.stage import producing
from tests.infra.runtime.widgets import READ_SCHEMA, SCHEMA


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Kafka, PostgreSQL and Valkey that nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="pickly-outages-", ignore_cleanup_errors=True) as folder:
        servers = start_servers(Path(folder), s3=False)
        yield servers
        servers.stop()


@pytest.fixture(scope="module")
def settings(servers: Servers) -> Settings:
    """Where they are."""
    prefix = "PICKLY_"
    ours = {name: value for name, value in servers.env.items() if name.startswith(prefix)}
    return Settings.model_validate({name.removeprefix(prefix).lower(): value for name, value in ours.items()})


@pytest.fixture(scope="module")
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that outlives an outage of the broker."""
    async with producing(settings) as producer:
        yield producer


@pytest.fixture(scope="module")
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Makes topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
async def home(settings: Settings, tmp_path: Path) -> Settings:
    """As for the other tests, but nothing stays connected that a killed PostgreSQL would take along."""
    name, secrets = f"runtime_{uuid4().hex[:12]}", tmp_path / "secrets"
    shutil.copytree(settings.secrets, secrets)
    database = f"{settings.database.rpartition('/')[0]}/{name}"
    own = settings.model_copy(update={"database": database, "secrets": secrets})
    async with connected(settings) as admin:
        await admin.execute(f"CREATE DATABASE {name}")
        for role in ("widgets", "read_widgets"):
            (secrets / f"pg_{role}").write_text("secret")
            await admin.execute(
                f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD 'secret';"
                " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            )
    async with connected(own) as inside:
        await make_schema(inside, "widgets", "decider", SCHEMA)
        await make_schema(inside, "read_widgets", "projection", READ_SCHEMA)
    return own


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Db]:
    """A superuser's connection."""
    db = await asyncpg.connect(settings.dsn("postgres"))
    yield db
    await db.close()


@pytest.fixture
async def whole(servers: Servers) -> AsyncIterator[Servers]:
    """The servers; all of them run again after the test."""
    yield servers
    for name in ("kafka", "postgres", "valkey"):
        if servers.runs(name):
            servers.resume(name)
    await asyncio.to_thread(servers.start)
