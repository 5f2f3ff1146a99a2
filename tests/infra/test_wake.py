"""Wake-ups through Valkey: they come, they coalesce, and nothing suffers when Valkey does not answer."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from infra.local import ports, secrets, valkey
from infra.local.servers import Servers
from infra.settings import Settings
from infra.wake import CHANNEL, Waker

PATIENCE = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Servers]:
    """A Valkey of this test's own."""
    secrets.create(tmp_path / "secrets")
    numbers = ports.saved(tmp_path / "ports.json", valkey.PORTS)
    part = valkey.part(tmp_path / "valkey", tmp_path / "logs", numbers, tmp_path / "secrets")
    servers = Servers(tmp_path, [part], {"PICKLY_VALKEY": f"redis://{ports.HOST}:{numbers['valkey']}/0"})
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture
def settings(server: Servers, tmp_path: Path) -> Settings:
    """Settings for it."""
    return Settings(valkey=server.env["PICKLY_VALKEY"], secrets=tmp_path / "secrets")


@pytest.fixture
async def waker(settings: Settings) -> AsyncIterator[Waker]:
    """One that only sends."""
    waker = Waker(settings)
    yield waker
    await waker.close()


@pytest.fixture
async def heard(settings: Settings) -> AsyncIterator[asyncio.Queue[str]]:
    """What a listener hears."""
    listener, heard = Waker(settings), asyncio.Queue[str]()
    task = asyncio.create_task(listener.listen(heard.put_nowait))
    yield heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await listener.close()


async def until_heard(waker: Waker, heard: asyncio.Queue[str]) -> None:
    """Wake until the listener has subscribed and hears it."""
    async with asyncio.timeout(PATIENCE):
        while heard.empty():
            await waker.wake("probe")
            await asyncio.sleep(0.02)
    while not heard.empty():
        heard.get_nowait()


async def test_a_wake_up_reaches_the_listener(waker: Waker, heard: asyncio.Queue[str]) -> None:
    await until_heard(waker, heard)

    await waker.wake("read_picks")

    async with asyncio.timeout(PATIENCE):
        while await heard.get() != "read_picks":
            continue


async def test_wake_ups_that_come_together_are_few_messages_and_the_last_is_never_lost(
    waker: Waker, settings: Settings
) -> None:
    valkey_client = Redis.from_url(settings.valkey, password=settings.secret("valkey"), decode_responses=True)
    pubsub = valkey_client.pubsub()
    await pubsub.subscribe(CHANNEL)
    await pubsub.get_message(timeout=PATIENCE)

    await waker.wake("read_picks")
    await asyncio.sleep(0)  # it is under way
    for _ in range(1_000):
        await waker.wake("read_picks")

    messages = []
    while (message := await pubsub.get_message(timeout=1)) is not None:
        messages.append(message["data"])
    assert messages == ["read_picks"] * 2, "the one under way, and one for all that came meanwhile"
    await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    await valkey_client.aclose()


async def test_a_frozen_valkey_costs_the_caller_nothing_and_leaves_no_pile(
    waker: Waker, server: Servers
) -> None:
    await waker.wake("read_picks")
    others = len(asyncio.all_tasks())
    server.pause("valkey")
    try:
        began = time.monotonic()
        for number in range(500):
            await waker.wake(f"group-{number % 5}")
            await asyncio.sleep(0)
        seconds = time.monotonic() - began
        assert seconds < PATIENCE / 10
        assert len(asyncio.all_tasks()) < others + 20
    finally:
        server.resume("valkey")


async def test_a_killed_valkey_is_found_again_by_sender_and_listener(
    waker: Waker, heard: asyncio.Queue[str], server: Servers
) -> None:
    await until_heard(waker, heard)

    server.kill("valkey")
    await waker.wake("lost")
    await asyncio.to_thread(server.restart, "valkey")

    await until_heard(waker, heard)


async def test_a_listener_notices_a_server_that_never_speaks_again(
    waker: Waker, heard: asyncio.Queue[str], server: Servers
) -> None:
    await until_heard(waker, heard)
    server.pause("valkey")
    await asyncio.sleep(8)  # longer than the listener's patience with a silent connection
    server.resume("valkey")

    await until_heard(waker, heard)


async def test_nothing_listens_at_the_address_and_nothing_is_raised(tmp_path: Path) -> None:
    secrets.create(tmp_path / "secrets")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    waker = Waker(Settings(valkey=f"redis://127.0.0.1:{free}/0", secrets=tmp_path / "secrets"))

    for _ in range(5):
        await waker.wake("read_picks")
        await asyncio.sleep(0.05)

    await waker.close()
