"""Servers and a whole platform of these tests' own: they fill topics, compact them and swap schemas."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from infra.local.servers import Servers, start_servers
from infra.ops.rebuild_schema import drop_old
from infra.roles import PROJECTIONS
from infra.settings import Settings
from tests.infra.ops.rebuild.world import World
from tests.journeys.stack import Stack


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    started = start_servers(tmp_path_factory.mktemp("servers"), s3=False)
    yield started
    started.stop()


@pytest.fixture(scope="package")
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every process of ours, running."""
    made = Stack(dict(servers.env), tmp_path_factory.mktemp("logs"))
    made.start_everything()
    yield made
    made.stop()


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    """The platform, with no read model that an earlier rebuild replaced."""
    settings = Settings(
        kafka=stack.env["PICKLY_KAFKA"],
        database=stack.env["PICKLY_DATABASE"],
        valkey=stack.env["PICKLY_VALKEY"],
        secrets=Path(stack.env["PICKLY_SECRETS"]),
    )
    migrate = await asyncpg.connect(settings.dsn("migrate"))
    for name in PROJECTIONS:
        await drop_old(migrate, name)
    await migrate.close()
    db = await asyncpg.connect(settings.dsn("postgres"))
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=5) as producer:
        yield World(stack, settings, db, producer)
    await db.close()
