"""Limits while Valkey is away, and when it is back: the same numbers, in each gateway by itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.config import GatewaySettings
from gateway.limits import Charge, Limiter
from gateway.plans import Plan, plans
from gateway.valkey import connect
from infra.local import ports, secrets, valkey
from infra.local.servers import Servers
from infra.settings import Settings
from tests.gateway.test_limits import SECRET, STILL, passes, spent, tries

SIGN_IN = plans(GatewaySettings())["sign-in"]


@pytest.fixture
async def nobody(servers: Settings) -> AsyncIterator[Redis]:
    """A client of a Valkey that does not answer."""
    client = connect(servers.model_copy(update={"valkey": "redis://127.0.0.1:1/0"}))
    yield client
    await client.aclose()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[Servers, Redis]]:
    """A Valkey of the test's own, which may be killed, and a client of it."""
    keys, numbers = tmp_path / "secrets", ports.saved(tmp_path / "ports.json", valkey.PORTS, ports.TESTS)
    secrets.create(keys)
    (tmp_path / "logs").mkdir()
    part = valkey.part(tmp_path / "valkey", tmp_path / "logs", numbers, keys)
    servers = Servers(tmp_path, [part], {})
    servers.start()
    client = connect(Settings(valkey=f"redis://{ports.HOST}:{numbers['valkey']}/0", secrets=keys))
    try:
        yield servers, client
    finally:
        await client.aclose()
        servers.stop()


async def test_without_valkey_the_limit_is_local(nobody: Redis) -> None:
    limiter = Limiter(nobody, SECRET)

    assert await spent(limiter, uuid4().hex, STILL) == 100
    assert await spent(limiter, uuid4().hex, STILL, cost=7) == 14
    assert await tries(limiter, "192.0.2.1", uuid4().hex, SIGN_IN) == 30


async def test_without_valkey_a_request_still_spends_from_all_or_none(nobody: Redis) -> None:
    limiter, account, address = Limiter(nobody, SECRET), uuid4().hex, uuid4().hex
    await spent(limiter, address, STILL, most=99)

    both = [Charge(account, STILL, 1), Charge(address, STILL, 1)]

    assert [await passes(limiter, *both) for _ in range(3)] == [True, False, False]
    assert await spent(limiter, account, STILL) == 99
    small = Charge(uuid4().hex, Plan("small", 0.0001, 5), 6)
    assert not await passes(limiter, Charge(uuid4().hex, STILL, 6), small)


async def test_a_valkey_that_is_killed_is_missed_and_used_again(own: tuple[Servers, Redis]) -> None:
    servers, client = own
    limiters = [Limiter(client, SECRET), Limiter(client, SECRET)]
    before, during, after = uuid4().hex, uuid4().hex, uuid4().hex
    assert await spent(limiters[0], before, STILL) == 100

    servers.kill("valkey")
    assert [await spent(limiter, during, STILL) for limiter in limiters] == [100, 100], "each by itself"
    assert await spent(limiters[0], before, STILL) == 0, "what is known to be used up stays so"

    servers.restart("valkey")
    for limiter in limiters:
        await uses_valkey(limiter, client)
    assert sum([await spent(limiter, after, STILL) for limiter in limiters]) == 100, "together again"


async def uses_valkey(limiter: Limiter, client: Redis) -> None:
    """Return when new buckets of the limiter are in Valkey."""
    keys = await client.dbsize()
    async with asyncio.timeout(30):
        while await client.dbsize() == keys:
            await passes(limiter, Charge(uuid4().hex, STILL, 1))
            await asyncio.sleep(0.05)
