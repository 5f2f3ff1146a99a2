"""Rate limits by cost: shared through Valkey, leased, all or nothing over several buckets, and hidden."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.config import GatewaySettings
from gateway.limits import Charge, Limiter, of_address
from gateway.plans import Plan, plans
from gateway.problems import ProblemError
from gateway.valkey import connect
from infra.settings import Settings

SLOW = Plan("account", 1, 100)
SECRET = uuid4().hex
"""Hides the clients of an earlier run on the same Valkey."""
STILL = Plan("still", 0.0001, 100)
"""Does not fill again while a test runs."""


@pytest.fixture
async def valkey(servers: Settings) -> AsyncIterator[Redis]:
    """A client of the real Valkey."""
    client = connect(servers)
    yield client
    await client.aclose()


class Counted(Redis):
    """Counts what it asks Valkey."""

    asked = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As it is, and counted."""
        self.asked += 1
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # of redis


async def passes(limiter: Limiter, *charges: Charge) -> bool:
    """Whether one request passes."""
    try:
        await limiter.spend(charges)
    except ProblemError:
        return False
    return True


async def spent(limiter: Limiter, client: str, plan: Plan = SLOW, cost: int = 1, most: int = 400) -> int:
    """How many requests of a cost pass before one does not."""
    for n in range(most):
        if not await passes(limiter, Charge(client, plan, cost)):
            return n
    return most


async def tries(limiter: Limiter, address: str, identifier: str, plan: Plan, most: int = 400) -> int:
    """How many tries for an identifier pass before one does not."""
    for n in range(most):
        try:
            await limiter.spend_identified(address, identifier, plan)
        except ProblemError:
            return n
    return most


async def test_a_burst_passes_and_what_is_beyond_it_does_not(valkey: Redis) -> None:
    assert await spent(Limiter(valkey, SECRET), uuid4().hex, STILL) == 100


async def test_costly_requests_spend_more(valkey: Redis) -> None:
    assert await spent(Limiter(valkey, SECRET), uuid4().hex, STILL, cost=7) == 14


async def test_the_leases_of_two_gateways_sum_up_to_the_limit(valkey: Redis) -> None:
    client, limiters = uuid4().hex, [Limiter(valkey, SECRET), Limiter(valkey, SECRET)]

    passed = [await passes(limiters[n % 2], Charge(client, STILL, 1)) for n in range(130)]

    assert passed == [True] * 100 + [False] * 30


async def test_of_200_requests_at_once_at_two_gateways_as_many_pass_as_may(valkey: Redis) -> None:
    client, limiters = uuid4().hex, [Limiter(valkey, SECRET), Limiter(valkey, SECRET)]
    plan = Plan("still", 0.0001, 30)

    passed = await asyncio.gather(*(passes(limiters[n % 2], Charge(client, plan, 1)) for n in range(200)))

    assert sum(passed) == 30


async def test_clients_do_not_share_one(valkey: Redis) -> None:
    limiter, first, second = Limiter(valkey, SECRET), uuid4().hex, uuid4().hex
    await spent(limiter, first)

    assert await spent(limiter, second, most=50) == 50


async def test_a_request_spends_from_all_its_buckets_or_from_none(valkey: Redis) -> None:
    limiter, account, address = Limiter(valkey, SECRET), uuid4().hex, uuid4().hex
    await spent(limiter, address, STILL, most=99)

    both = [Charge(account, STILL, 1), Charge(address, STILL, 1)]
    passed = [await passes(limiter, *both) for _ in range(5)]

    assert passed == [True, False, False, False, False]
    assert await spent(Limiter(valkey, SECRET), account, STILL) + limiter_holds(limiter, account) == 99


def limiter_holds(limiter: Limiter, bucket: str) -> int:
    """The units that a limiter has leased and not spent."""
    return limiter._leases[bucket].units


async def test_the_headers_tell_all_policies_and_the_state_of_the_tightest(valkey: Redis) -> None:
    limiter, wide = Limiter(valkey, SECRET), Plan("address", 10, 1_000)

    headers = dict(await limiter.spend([Charge(uuid4().hex, SLOW, 3), Charge(uuid4().hex, wide, 3)]))

    assert headers == {
        b"ratelimit-policy": b'"account";q=100;w=100, "address";q=1000;w=100',
        b"ratelimit": b'"account";r=97;t=3',
    }


async def test_a_leased_request_does_not_ask_valkey_and_no_more_does_one_that_cannot_pass(
    valkey: Redis,
) -> None:
    counted = Counted(connection_pool=valkey.connection_pool)
    limiter = Limiter(counted, SECRET)
    charges = [Charge(uuid4().hex, STILL, 1), Charge(uuid4().hex, STILL, 1)]
    assert await passes(limiter, *charges)
    asked = counted.asked

    assert all([await passes(limiter, *charges) for _ in range(4)])
    assert counted.asked == asked, "five units of each bucket were leased"
    assert all([await passes(limiter, *charges) for _ in range(95)])
    assert counted.asked == asked + 19, "one call for both buckets"
    await passes(limiter, *charges)
    refused = counted.asked
    assert not any([await passes(limiter, *charges) for _ in range(50)])
    assert counted.asked == refused


async def test_requests_at_once_take_one_lease_and_not_one_each(valkey: Redis) -> None:
    counted = Counted(connection_pool=valkey.connection_pool)
    limiter, client = Limiter(counted, SECRET), uuid4().hex
    await spent(limiter, uuid4().hex, most=1)
    asked = counted.asked

    passed = await asyncio.gather(*(passes(limiter, Charge(client, STILL, 1)) for _ in range(90)))

    assert all(passed)
    assert counted.asked - asked == 18, "each lease is five units"


async def test_a_cheap_request_beside_a_renewal_leaves_no_unit_spent_twice(valkey: Redis) -> None:
    limiter, client, plan = Limiter(valkey, SECRET), uuid4().hex, Plan("still", 0.0001, 60)

    passed = await asyncio.gather(*(passes(limiter, Charge(client, plan, 1 + n % 2)) for n in range(120)))

    assert sum(1 + n % 2 for n, one in enumerate(passed) if one) <= 60


async def test_a_bucket_fills_again(valkey: Redis) -> None:
    limiter, client, quick = Limiter(valkey, SECRET), uuid4().hex, Plan("account", 1000, 100)
    await spent(limiter, client, quick)

    async with asyncio.timeout(30):
        while True:
            if await spent(limiter, client, quick, most=1) == 1:
                return
            await asyncio.sleep(0.01)


async def test_a_refusal_says_when_to_come_back(valkey: Redis) -> None:
    limiter, client = Limiter(valkey, SECRET), uuid4().hex
    await spent(limiter, client)

    with pytest.raises(ProblemError) as caught:
        await limiter.spend([Charge(client, SLOW, 50), Charge(uuid4().hex, STILL, 1)])

    headers = dict(caught.value.headers)
    assert 40 <= int(headers[b"retry-after"]) <= 51
    assert headers[b"ratelimit-policy"] == b'"account";q=100;w=100, "still";q=100;w=1000000'
    assert headers[b"ratelimit"].startswith(b'"account";r=')


async def test_the_defaults_let_a_data_set_through_at_full_speed(valkey: Redis) -> None:
    plan = plans(GatewaySettings())["account"]

    assert await spent(Limiter(valkey, SECRET), uuid4().hex, plan, cost=3, most=2_000) == 2_000


async def test_one_address_is_limited_over_many_identifiers(valkey: Redis) -> None:
    limiter, plan, address = Limiter(valkey, SECRET), plans(GatewaySettings())["sign-in"], uuid4().hex

    passed = [await tries(limiter, address, f"who{n}", plan, most=1) for n in range(320)]

    assert sum(passed) == pytest.approx(300, abs=5), "one unit a second comes back"
    assert await tries(limiter, uuid4().hex, "who1", plan, most=10) == 10


async def test_one_identifier_is_limited_from_each_address_and_not_locked_for_others(valkey: Redis) -> None:
    limiter, plan, who = Limiter(valkey, SECRET), plans(GatewaySettings())["sign-in"], uuid4().hex
    attackers = [f"2001:db8:{uuid4().hex[:4]}:{n:x}::" for n in range(3)]

    assert [await tries(limiter, f"{prefix}1", who, plan) for prefix in attackers] == [30, 30, 30]
    assert [await tries(limiter, f"{prefix}2", who, plan) for prefix in attackers] == [0, 0, 0]
    assert await tries(limiter, "192.0.2.1", who, plan, most=20) == 20


async def test_200_tries_at_once_for_one_identifier_are_30(valkey: Redis) -> None:
    limiter, plan, who = Limiter(valkey, SECRET), plans(GatewaySettings())["sign-in"], uuid4().hex

    passed = await asyncio.gather(*(tries(limiter, "192.0.2.2", who, plan, most=1) for _ in range(200)))

    assert sum(passed) == 30


async def test_valkey_does_not_learn_who_the_clients_are(valkey: Redis) -> None:
    limiter, plan, who = Limiter(valkey, SECRET), plans(GatewaySettings())["sign-in"], uuid4().hex
    before = await keys_of(valkey)

    await limiter.spend_identified("198.51.100.77", f"{who}@example.org", plan)
    await limiter.spend([of_address(plan, "2001:db8:77::1", 1), Charge(f"account/{who}", SLOW, 1)])

    made = await keys_of(valkey) - before
    assert len(made) == 4
    assert all(re.fullmatch("pickly:limit:[0-9a-f]{64}", key) for key in made), made
    assert not any(who in key for key in made)
    other = Limiter(valkey, uuid4().hex)
    await other.spend_identified("198.51.100.77", f"{who}@example.org", plan)
    assert len(await keys_of(valkey) - before) == 6


async def keys_of(valkey: Redis) -> set[str]:
    """The buckets that Valkey knows."""
    keys = await valkey.keys("pickly:limit:*")
    return {key.decode() if isinstance(key, bytes) else key for key in keys}
