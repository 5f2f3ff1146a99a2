"""Rate limits by cost: shared through Valkey, leased, and local while Valkey is away."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.limits import Limiter, Plan
from gateway.problems import ProblemError
from gateway.services import open_services
from gateway.valkey import connect
from infra.settings import Settings
from tests.gateway.people import Person, new_pick, probes, slug

SLOW = Plan("account", 1, 100)


@pytest.fixture
async def valkey(servers: Settings) -> AsyncIterator[Redis]:
    """A client of the real Valkey."""
    client = connect(servers)
    yield client
    await client.aclose()


@pytest.fixture
async def nobody(servers: Settings) -> AsyncIterator[Redis]:
    """A client of a Valkey that does not answer."""
    client = connect(servers.model_copy(update={"valkey": "redis://127.0.0.1:1/0"}))
    yield client
    await client.aclose()


async def spent(limiter: Limiter, client: str, plan: Plan = SLOW, cost: int = 1, most: int = 400) -> int:
    """How many requests of a cost pass before one does not."""
    for n in range(most):
        try:
            await limiter.spend(client, cost, plan)
        except ProblemError:
            return n
    return most


async def test_a_burst_passes_and_what_is_beyond_it_does_not(valkey: Redis) -> None:
    passed = await spent(Limiter(valkey), uuid4().hex)

    assert 100 <= passed <= 110


async def test_costly_requests_spend_more(valkey: Redis) -> None:
    passed = await spent(Limiter(valkey), uuid4().hex, cost=10)

    assert 10 <= passed <= 11


async def test_two_gateways_share_the_bucket(valkey: Redis) -> None:
    client = uuid4().hex
    first, second = Limiter(valkey), Limiter(valkey)

    passed = await spent(first, client) + await spent(second, client)

    assert 100 <= passed <= 115


async def test_clients_do_not_share_one(valkey: Redis) -> None:
    limiter, first, second = Limiter(valkey), uuid4().hex, uuid4().hex
    await spent(limiter, first)

    assert await spent(limiter, second, most=50) == 50


async def test_requests_at_once_take_one_lease_and_not_one_each(valkey: Redis) -> None:
    limiter, client = Limiter(valkey), uuid4().hex

    await asyncio.gather(*(limiter.spend(client, 1, SLOW) for _ in range(90)))


async def test_a_bucket_fills_again(valkey: Redis) -> None:
    limiter, client, quick = Limiter(valkey), uuid4().hex, Plan("account", 1000, 100)
    await spent(limiter, client, quick)

    async with asyncio.timeout(30):
        while True:
            if await spent(limiter, client, quick, most=1) == 1:
                return
            await asyncio.sleep(0.01)


async def test_a_refusal_says_when_to_come_back(valkey: Redis) -> None:
    limiter, client = Limiter(valkey), uuid4().hex
    await spent(limiter, client)

    with pytest.raises(ProblemError) as caught:
        await limiter.spend(client, 50, SLOW)

    headers = dict(caught.value.headers)
    assert 40 <= int(headers[b"retry-after"]) <= 51
    assert headers[b"ratelimit-policy"] == b'"account";q=100;w=100'


async def test_without_valkey_the_limit_is_local(nobody: Redis) -> None:
    limiter = Limiter(nobody)

    passed = await spent(limiter, uuid4().hex)

    assert 100 <= passed <= 110
    assert await spent(limiter, uuid4().hex, most=50) == 50


async def test_a_limited_request_gets_429_and_sends_nothing(servers: Settings, ana: Person) -> None:
    limits = GatewaySettings(account_rate=1, account_burst=6)
    async with open_services(servers, limits) as services:
        who = Person(create_app(services, probes), ana.handle, ana.account, ana.token)
        answers = [await who.send("POST", "/v1/picks", new_pick()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert slug(answers[2]) == "too-many-requests"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert answers[0].headers["ratelimit-policy"] == '"account";q=6;w=6'
    assert answers[0].headers["ratelimit"] == '"account";r=3;t=3'
    assert "pickly-command" not in answers[2].headers


async def test_the_defaults_let_a_data_set_through_at_full_speed(valkey: Redis) -> None:
    limits, client = GatewaySettings(), uuid4().hex
    plan = Plan("account", limits.account_rate, limits.account_burst)

    assert await spent(Limiter(valkey), client, plan, cost=3, most=2_000) == 2_000
