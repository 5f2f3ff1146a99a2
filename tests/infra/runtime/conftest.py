"""A database of its own for every test of the runtime, with the runtime's tables and a widget."""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition

from infra.runtime import Db
from infra.runtime.connection import Connection
from infra.runtime.group import Group
from infra.runtime.poll import Poller
from infra.runtime.prepare import Preparation
from infra.settings import Settings
from tests.infra.runtime.widgets import READ_SCHEMA, SCHEMA

TEMPLATES = Path("infra/migrations/runtime")


@pytest.fixture
async def home(settings: Settings, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of a fresh database with the roles and schemas `widgets` and `read_widgets`."""
    name = f"runtime_{uuid4().hex[:12]}"
    secrets = tmp_path / "secrets"
    shutil.copytree(settings.secrets, secrets)
    admin = await asyncpg.connect(settings.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    for role in ("widgets", "read_widgets"):
        (secrets / f"pg_{role}").write_text("secret")
        await admin.execute(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD 'secret';"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    base = settings.database.rpartition("/")[0]
    own = settings.model_copy(update={"database": f"{base}/{name}", "secrets": secrets})
    inside = await asyncpg.connect(own.dsn("postgres"))
    await make_schema(inside, "widgets", "decider", SCHEMA)
    await make_schema(inside, "read_widgets", "projection", READ_SCHEMA)
    await inside.close()
    yield own
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def make_schema(db: Db, schema: str, template: str, tables: str) -> None:
    """The runtime's tables and some of our own, usable by the role of the same name."""
    await db.execute(f"CREATE SCHEMA {schema}; SET search_path TO {schema}")
    for file in sorted((TEMPLATES / template).glob("*.sql")):
        await db.execute(file.read_text())
    await db.execute(tables)
    await db.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO {schema};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {schema};"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {schema}"
    )


@pytest.fixture
async def db(home: Settings) -> AsyncIterator[Db]:
    """A connection that sees everything, with the decider's schema first."""
    connection = await asyncpg.connect(
        home.dsn("postgres"), server_settings={"search_path": "widgets, read_widgets"}
    )
    yield connection
    await connection.close()


@dataclass
class Bench:
    """A poller on real Postgres, without a broker: records go in by hand."""

    group: Group
    poller: Poller

    async def own(self, *places: TopicPartition, start: int = 0) -> None:
        """Own partitions at `start`, as after an assignment."""
        async with self.poller.connection.use() as db:
            await db.executemany(
                "INSERT INTO position (group_name, topic, partition, next_offset) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT DO NOTHING",
                [(self.group.name, place.topic, place.partition, start) for place in places],
            )
        for place in places:
            self.poller.expected[place] = start
            self.poller.seen_until[place] = datetime.now(UTC)


@pytest.fixture
async def bench(home: Settings) -> AsyncIterator[Callable[[Group], Bench]]:
    """Makes benches; their connections are closed at the end."""
    made: list[Connection] = []

    def make(group: Group) -> Bench:
        connection = Connection(home, group.schema, purpose="bench")
        made.append(connection)
        return Bench(group, Poller(group, connection, Preparation(home, group.schema), f"bench-{len(made)}"))

    yield make
    for connection in made:
        await connection.close()
