"""Relay processes that freeze and die, and servers that do: nothing is lost, the newest stays the newest."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from infra.local.servers import Servers, start_servers
from infra.ops import topics as ops_topics
from infra.settings import Settings
from schemas.topics import PICK_EVENTS
from tests.producers.processes import Relays
from tests.producers.reading import ends
from tests.producers.world import Event, World, copies, new_world, newest, until

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Kafka, PostgreSQL and Valkey that only this module uses."""
    servers = start_servers(tmp_path_factory.mktemp("servers"), s3=False)
    yield servers
    servers.stop()


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    """A database of its own on them."""
    ours = {name: value for name, value in servers.env.items() if name.startswith("PICKLY_")}
    env = {name.removeprefix("PICKLY_").lower(): value for name, value in ours.items()}
    settings = Settings.model_validate(env)
    await ops_topics.apply(settings)
    async with new_world(settings) as world:
        yield world


@pytest.fixture
def relays(world: World, tmp_path: Path) -> Iterator[Relays]:
    """Relay processes of this test."""
    relays = Relays(world, tmp_path)
    yield relays
    relays.end()


async def overtake_a_frozen_leader(
    world: World, relays: Relays, *fault: str
) -> tuple[dict[str, int], dict[str, int]]:
    """A leader freezes, a successor sends all and then newer versions, the leader thaws and has its say.

    Returns the newest version of each key on the topic and in truth.
    """
    since = await ends(world.settings, PICK_EVENTS)
    old = [Event(f"{uuid4()}", 1) for _ in range(40)]
    new = [Event(event.key, 2) for event in old]
    leader = relays.rigged(*fault)
    await leader.until_ready()
    await relays.start().until_ready()
    await world.post(old)
    await leader.until_frozen()

    began = time.monotonic()
    if await world.waiting():
        await world.until_sent()
        print(f"\nthe successor had sent all {time.monotonic() - began:.1f} s after the freeze")  # noqa: T201 - a time is reported, never asserted
    await world.post(new)
    await world.until_sent()
    leader.send(signal.SIGCONT)
    await leader.until_logged("beginning again")
    await leader.until_ready()

    return newest(await copies(world.settings, since)), {event.key: event.version for event in new}


@pytest.mark.parametrize("point", ["read", "sent", "committed", "settled"])
async def test_what_a_thawed_leader_still_does_never_becomes_the_newest_record(
    world: World, relays: Relays, point: str
) -> None:
    on_topic, truth = await overtake_a_frozen_leader(world, relays, point, "STOP")

    assert on_topic == truth


async def test_without_the_fence_the_check_notices_the_late_record(world: World, relays: Relays) -> None:
    on_topic, truth = await overtake_a_frozen_leader(world, relays, "read", "STOP", "--unfenced")

    assert on_topic != truth, "the control is broken: it does what the sound relay does"


@pytest.mark.parametrize("point", ["read", "sent", "committed", "settled"])
async def test_a_leader_that_dies_anywhere_leaves_each_event_where_its_decision_says(
    world: World, relays: Relays, point: str
) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    cause = uuid4()
    events = [Event(f"key-{number}", cause=cause) for number in range(30)]
    leader = relays.rigged(point, "KILL")
    await leader.until_ready()
    await world.post(events)
    assert await leader.ended() == -signal.SIGKILL

    relays.start()
    await world.until_sent()

    sent = await copies(world.settings, since)
    last = {copy.id: copy.place for copy in sent}
    times = (
        2 if point == "committed" else 1
    )  # sent again with the same ids: only then were they there already
    assert len(sent) == times * len(events)
    assert await world.offsets(cause) == last
    assert set(last) == {str(event.id) for event in events}


async def test_places_are_written_by_the_relay_that_deleted_and_by_no_other(
    world: World, relays: Relays
) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    event = Event("key")
    leader = relays.rigged("committed", "STOP")
    await leader.until_ready()
    await world.post([event])
    await leader.until_frozen()
    relays.start()
    await world.until_sent()
    written = await world.offsets(event.cause)

    leader.send(signal.SIGCONT)
    await leader.until_logged("beginning again")
    await leader.until_ready()

    first, second = [copy.place for copy in await copies(world.settings, since)]
    assert written == {str(event.id): second} != {str(event.id): first}
    assert await world.offsets(event.cause) == written


async def test_a_broker_that_falls_silent_before_the_commit_leaves_no_doubt_in_the_end(
    world: World, relays: Relays, servers: Servers
) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    cause = uuid4()
    events = [Event(f"key-{number}", cause=cause) for number in range(30)]
    relay = relays.rigged("sent", "STOP", "--target", str(servers.pid("kafka")))
    try:
        await relay.until_ready()
        await world.post(events)
        await relay.until_logged("beginning again")
    finally:
        servers.resume("kafka")
    await world.until_sent()

    last = {copy.id: copy.place for copy in await copies(world.settings, since)}
    assert await world.offsets(cause) == last
    assert len(last) == len(events)


@pytest.mark.parametrize("name", ["kafka", "postgres", "valkey"])
async def test_a_killed_server_costs_time_and_nothing_else(
    world: World, relays: Relays, servers: Servers, name: str
) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    first, second = Event("key", 1), Event("key", 2)
    relay = relays.start()
    await relay.until_ready()
    await world.post([first])
    await world.until_sent()

    servers.kill(name)
    if name != "valkey":
        await relay.until_logged("beginning again")
        assert (await relay.get("/readyz"))[0] == 503
        assert (await relay.get("/healthz"))[0] == 200
    await asyncio.to_thread(servers.restart, name)
    await world.reconnect()
    await relay.until_ready()
    await world.post([second])
    await world.until_sent()

    sent = await copies(world.settings, since)
    assert newest(sent) == {"key": 2}
    assert {copy.id for copy in sent} == {str(first.id), str(second.id)}


async def test_a_relay_starts_before_its_servers(world: World, relays: Relays, servers: Servers) -> None:
    servers.kill("kafka")
    servers.kill("postgres")
    relay = relays.start()
    await relay.until_logged("beginning again")

    await asyncio.gather(*(asyncio.to_thread(servers.restart, name) for name in ("kafka", "postgres")))

    await world.reconnect()
    await relay.until_ready()
    await world.post([Event("key")])
    await world.until_sent()


async def test_it_stops_when_asked_and_its_successor_goes_on_at_once(world: World, relays: Relays) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    leader = relays.start()
    await leader.until_ready()
    standby = relays.start()
    await standby.until_ready()
    await world.post([Event("a")])
    await world.until_sent()

    leader.send(signal.SIGTERM)

    assert await leader.ended() == 0
    await world.post([Event("b")])
    await world.until_sent()
    assert len(await copies(world.settings, since)) == 2


async def test_its_probes_and_metrics_tell_what_it_does(world: World, relays: Relays) -> None:
    relay = relays.start()
    await relay.until_ready()
    await world.post([Event("a"), Event("b")])
    await world.until_sent()

    async def counted() -> bool:
        metrics = (await relay.get("/metrics"))[1]
        return 'pickly_relay_events_total{schema="curation"} 2.0' in metrics

    await until(counted, "the metrics do not count what was sent")
    status, body = await relay.get("/healthz")
    assert (status, json.loads(body)) == (200, {"ok": True, "reasons": {}})
    metrics = (await relay.get("/metrics"))[1]
    assert 'pickly_relay_leader{schema="curation"} 1.0' in metrics
    assert 'pickly_relay_oldest_seconds{schema="curation"} 0.0' in metrics
