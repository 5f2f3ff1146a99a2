"""Secrets and personal values are planted everywhere, and then looked for in everything that we tell.

Logs of all processes at DEBUG, spans, metrics in both formats, what ops see, what the gateway may read.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from infra.runtime import Db
from infra.settings import Settings
from tests.infra.telemetry.receiver import Collector
from tests.journeys.conftest import Person
from tests.journeys.telemetry.conftest import Watched
from tests.journeys.telemetry.planted import (
    MARK,
    bad_requests,
    canary,
    failing,
    good_requests,
    poison,
    put,
    unknown,
)

TRAP = f"""
ALTER TABLE curation.pick ADD CONSTRAINT no_canary CHECK (note <> '{canary("refused")}' OR note::int > 0)
"""
"""PostgreSQL's message will quote the note: invalid input syntax for type integer."""


@pytest.fixture
async def admin(stack: Watched) -> AsyncIterator[Db]:
    """The superuser."""
    settings = Settings(database=stack.env["PICKLY_DATABASE"], secrets=Path(stack.env["PICKLY_SECRETS"]))
    connection = await asyncpg.connect(settings.dsn("postgres"))
    yield connection
    await connection.close()


async def test_what_people_wrote_is_found_in_nothing_that_we_tell(
    person: Callable[[], Person], stack: Watched, collector: Collector, admin: Db
) -> None:
    ana = person()
    token = ana.http.headers["authorization"].removeprefix("Bearer ")
    await admin.execute(TRAP)
    made = await good_requests(ana)
    await bad_requests(ana)
    author = uuid4()
    died = failing(uuid4(), author)
    await put(stack.env["PICKLY_KAFKA"], *poison(), died, unknown())
    await settled(admin)

    told = await everything(stack, collector, admin, made.headers["pickly-command"])

    secrets = {MARK, MARK.upper(), token, token.rpartition(".")[2], "\x1b", "INJECTED"}
    assert {(where, secret) for where, text in told.items() for secret in secrets if secret in text} == set()
    for where, text in told.items():
        if where.startswith("log"):
            assert [line for line in text.splitlines() if not _is_one_line_of_json(line)] == [], where


def _is_one_line_of_json(line: str) -> bool:
    return isinstance(json.loads(line), dict) and line.isprintable()


async def settled(admin: Db) -> None:
    """Wait until what was planted has been set aside, and the partition of the unknown type stands."""
    expected = len(list(poison()))
    async with asyncio.timeout(90):
        while True:
            letters = await admin.fetchval(
                "SELECT count(DISTINCT (topic, partition, record_offset)) FROM mesh.dead"
            )
            stopped = await admin.fetchval(
                "SELECT count(*) FROM mesh.positions WHERE stopped LIKE '%unknown type%'"
            )
            failed = await admin.fetchval("SELECT count(*) FROM mesh.dead WHERE reason = 'handler_failed'")
            if letters > expected and stopped and failed:
                return
            await asyncio.sleep(0.2)


async def everything(stack: Watched, collector: Collector, admin: Db, command_id: str) -> dict[str, str]:
    """All that we tell, by where it is told."""
    told = {f"log of {path.stem}": path.read_text() for path in stack.folder.glob("*.log")}
    assert len(told) == len(stack.ports)
    told["spans"] = "".join(span.text for span in collector.spans)
    assert '"error.type"' in told["spans"]
    async with httpx.AsyncClient() as scraper:
        for name, port in stack.ports.items():
            for kind in ("text/plain", "application/openmetrics-text; version=1.0.0"):
                scraped = await scraper.get(f"http://127.0.0.1:{port}/metrics", headers={"accept": kind})
                told[f"metrics of {name}, {kind}"] = scraped.text
            told[f"readiness of {name}"] = (await scraper.get(f"http://127.0.0.1:{port}/readyz")).text
    for view in ("decisions", "positions", "dead", "outboxes"):
        told[f"mesh.{view}"] = repr(await admin.fetch(f"SELECT * FROM mesh.{view}"))
    return told | await commands(stack, admin, command_id)


async def commands(stack: Watched, admin: Db, command_id: str) -> dict[str, str]:
    """What `./pickly` prints for ops."""
    letters = await admin.fetch("SELECT DISTINCT ON (reason) * FROM mesh.dead ORDER BY reason, record_offset")
    assert {"handler_failed", "invalid_body", "bad_envelope", "no_type"} <= {row["reason"] for row in letters}
    addresses = [
        f"{row['group_name']}/{row['topic']}/{row['partition']}/{row['record_offset']}" for row in letters
    ]
    dead_command = await admin.fetchval("SELECT message_id FROM mesh.dead WHERE reason = 'handler_failed'")
    asked = [
        ("dead", "list"),
        ("dead", "list", "--json"),
        ("dead", "show", addresses[0]),
        *(("dead", "show", address, "--json") for address in addresses),
        ("lag",),
        ("lag", "--json", "--partitions"),
        ("trace", command_id),
        ("trace", str(dead_command)),
    ]
    return {" ".join(words): stack.answer(*words) for words in asked}
