"""What a run takes place on: servers, a database and topics of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from infra.local.secrets import SUPERUSER
from infra.local.servers import Servers
from infra.ops import topics
from infra.ops.migrate import migrate
from infra.settings import Settings
from schemas.topics import TOPICS

PREFIX = "PICKLY_"


def settings_of(servers: Servers, database: str) -> Settings:
    """How a process reaches `database` on these servers."""
    env = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in servers.env.items()
        if name.startswith(PREFIX)
    }
    address = f"{env.pop('database').rpartition('/')[0]}/{database}"
    return Settings.model_validate({**env, "database": address})


@asynccontextmanager
async def fresh_database(servers: Servers) -> AsyncIterator[Settings]:
    """A database with every schema and role, dropped in the end."""
    name = f"chaos_{uuid4().hex[:12]}"
    superuser = settings_of(servers, "postgres").dsn(SUPERUSER)
    await _execute(superuser, f"CREATE DATABASE {name} OWNER migrate")
    try:
        settings = settings_of(servers, name)
        await migrate(settings)
        yield settings
    finally:
        if servers.runs("postgres"):
            await _execute(superuser, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(dsn: str, statement: str) -> None:
    db = await asyncpg.connect(dsn)
    try:
        await db.execute(statement)
    finally:
        await db.close()


async def fresh_topics(settings: Settings) -> None:
    """Every topic as declared and empty; what an earlier run left there goes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        left = sorted(set(await admin.list_topics()) & set(TOPICS))
        if left:
            await admin.delete_topics(left)
    finally:
        await admin.close()
    await topics.apply(settings)
