"""A stage for every test: a database of its own, the shared broker, topics by unique names."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from infra.runtime import entry, intake, pauses
from infra.settings import Settings
from tests.infra.runtime.kafka.member import Start, Task, member
from tests.infra.runtime.kafka.stage import Stage, looking_on, producing


@pytest.fixture(scope="session")
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A plain producer."""
    async with producing(settings) as producer:
        yield producer


@pytest.fixture(scope="session")
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Makes and drops topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
async def stage(
    home: Settings, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient
) -> AsyncIterator[Stage]:
    """The shared broker and a database of its own."""
    async with looking_on(home) as db:
        yield Stage(home, db, producer, admin)


@pytest.fixture(autouse=True)
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every poll is read beside the transaction before it: what production does under load only."""
    monkeypatch.setattr(intake, "FULL", 1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at again every few seconds is looked at twice a second."""
    monkeypatch.setattr(pauses, "LOOK_AGAIN", 0.5)
    monkeypatch.setattr(pauses, "LONGEST_PAUSE", 0.5)
    monkeypatch.setattr(entry, "COMPARE_EVERY", 0.5)
    monkeypatch.setattr(intake, "METADATA_MS", 500)


@pytest.fixture
def start(stage: Stage, tmp_path: Path) -> Iterator[Start]:
    """Starts members as processes, and ends those that are left."""
    started: list[subprocess.Popen[bytes]] = []

    def start(task: Task) -> subprocess.Popen[bytes]:
        started.append(member(task, stage.settings, tmp_path / f"{task.name}.log"))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
