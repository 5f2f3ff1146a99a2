"""With a server behind it away, the gateway says so in time and goes on with what is left."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.problems import ProblemError
from gateway.reads.database import open_database
from gateway.services import Services, open_services
from infra.settings import Settings
from producers.errors import NotSentError, OutcomeUnknownError, RecordTooLargeError, SenderFullError
from producers.send import Sender
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, new_pick, probes, slug, until

NOWHERE = "127.0.0.1:1"


@asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """A server that takes connections and never says anything; its address."""
    held: list[asyncio.StreamWriter] = []

    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in held:
            writer.close()


@asynccontextmanager
async def half_closing(target: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the server that never passes on its end of a connection; the event says that it came."""
    ended, tasks = asyncio.Event(), set[asyncio.Task[None]]()
    host, _, port = target.partition(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        end.set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        tasks.add(asyncio.create_task(carry(reader, back, asyncio.Event())))
        tasks.add(asyncio.create_task(carry(there, writer, ended)))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", ended
    finally:
        server.close()
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def gateway(
    settings: Settings, who: Person, **elsewhere: str
) -> AsyncIterator[tuple[Person, Services]]:
    """The same person at a gateway whose servers are elsewhere."""
    async with open_services(settings.model_copy(update=elsewhere)) as services:
        yield Person(create_app(services, probes), who.handle, who.account, who.token), services


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
async def test_without_a_broker_a_write_is_503_within_its_deadline(
    servers: Settings, ana: Person, silent: bool, record_property: Callable[[str, object], None]
) -> None:
    async with black_hole() as hole:
        async with gateway(servers, ana, kafka=hole if silent else NOWHERE) as (who, services):
            began = time.monotonic()
            async with asyncio.timeout(10):  # two seconds are promised
                answer = await who.send("POST", "/v1/picks", new_pick())
            record_property("seconds", time.monotonic() - began)
            read = await who.send("GET", "/v1/feeds/latest?limit=1")
            why = services.readiness.sender()

    assert (answer.status_code, slug(answer)) == (503, "not-sent")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["pickly-command"]
    assert read.status_code == 200
    assert why


class Failing:
    """A sender that fails in one way; what makes a real one fail so is tested with the producers."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def send(self, *_: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (OutcomeUnknownError("x"), 503, "outcome-unknown"),
        (NotSentError("x"), 503, "not-sent"),
        (SenderFullError("x"), 503, "busy"),
        (RecordTooLargeError("x"), 413, "too-large"),
    ],
)
async def test_what_became_of_a_record_is_told(
    services: Services, ana: Person, error: Exception, status: int, expected: str
) -> None:
    failing = replace(services, sender=cast(Sender, Failing(error)))
    who = Person(create_app(failing, probes), ana.handle, ana.account, ana.token)

    answer = await who.publish()

    assert (answer.status_code, slug(answer)) == (status, expected)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert answer.headers["pickly-command"]


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
async def test_without_a_database_reads_are_503_and_writes_are_taken(
    servers: Settings, ana: Person, silent: bool
) -> None:
    async with black_hole() as hole:
        address = f"postgresql://{hole if silent else NOWHERE}/pickly"
        async with gateway(servers, ana, database=address) as (who, services):
            read = await who.send("GET", "/v1/feeds/latest")
            after = await who.send("GET", "/v1/feeds/latest", pickly_after=str(ana.account))
            status = await who.send("GET", f"/v1/commands/{ana.account}")
            written = await who.send("POST", "/v1/picks", new_pick())
            waited = await who.send("POST", "/v1/picks", new_pick(), prefer="wait=1")
            await until(lambda: services.readiness.database() == "it does not answer")

    for answer in (read, after, status):
        assert (answer.status_code, slug(answer)) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
    assert written.status_code == waited.status_code == 202


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
async def test_without_valkey_everything_still_works(
    mesh: Mesh, servers: Settings, ana: Person, silent: bool
) -> None:
    async with black_hole() as hole:
        address = f"redis://{hole if silent else NOWHERE}/0"
        async with gateway(servers, ana, valkey=address) as (who, _):
            written = await who.publish(new_pick(), idempotency_key="a")
            read = await who.send("GET", written.headers["location"])

    assert (written.status_code, read.status_code) == (201, 200)


async def test_a_slow_statement_is_cut_and_told(servers: Settings, ana: Person) -> None:
    async with gateway(servers, ana) as (_, services):
        with pytest.raises(Exception, match="unavailable"):
            await services.database.fetch("SELECT pg_sleep(20)")
        assert (await services.database.fetch("SELECT 1 AS one"))[0]["one"] == 1


async def test_a_connection_on_which_the_server_has_said_goodbye_is_an_outage_and_not_used_again(
    servers: Settings,
) -> None:
    address = urlsplit(servers.database)
    async with half_closing(address.netloc) as (way, ended):
        own = servers.model_copy(update={"database": address._replace(netloc=way).geturl()})
        async with open_database(own, GatewaySettings(database_connections=1)) as database:
            (row,) = await database.fetch("SELECT pg_backend_pid() AS pid")
            superuser = await asyncpg.connect(servers.dsn("postgres"))
            await superuser.execute("SELECT pg_terminate_backend($1)", row["pid"])
            await superuser.close()
            await ended.wait()
            await asyncio.sleep(
                0.1
            )  # the words before the end have been passed on; nothing tells of their arrival

            with pytest.raises(ProblemError, match="unavailable"):
                await database.fetch("SELECT 1 AS one")

            assert (await database.fetch("SELECT 1 AS one"))[0]["one"] == 1


async def test_the_gateway_may_read_and_nothing_else(servers: Settings, ana: Person) -> None:
    async with gateway(servers, ana) as (_, services):
        for statement in (
            "INSERT INTO read_picks.reaction_count VALUES (gen_random_uuid(), 'like', 1)",
            "SELECT 1 FROM curation.pick",
            "SELECT 1 FROM read_picks.dead_letter",
        ):
            with pytest.raises(Exception, match=r"permission denied|read-only"):
                await services.database.fetch(statement)


async def test_ready_when_all_is_well(services: Services) -> None:
    await until(lambda: services.readiness.database() is None)

    assert services.readiness.sender() is None
    assert services.why_not_alive() is None


async def test_an_ended_background_task_is_not_alive(servers: Settings, ana: Person) -> None:
    async with gateway(servers, ana) as (_, services):
        services.tasks[1].cancel()
        await until(lambda: services.why_not_alive() is not None)

        assert services.why_not_alive() == "ended: waiter"
