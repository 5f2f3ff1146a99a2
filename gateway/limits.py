"""Rate limits by cost: GCRA in Valkey, leased for several requests at once, and local while Valkey is away.

GCRA (ITU-T I.371): one number per bucket, the time at which it would be full again. One request may spend
from several buckets: from all of them or from none.
"""

import asyncio
import hmac
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

import structlog
from redis.asyncio import Redis

from gateway.answers import Header
from gateway.client_address import limited_as
from gateway.plans import Plan
from gateway.problems import ProblemError
from gateway.valkey import AWAY, AWAY_SECONDS
from infra.telemetry.errors import describe

SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full, room, enough = {}, {}, true
for n, key in ipairs(KEYS) do
  local interval, burst, needed = unpack(ARGV, 4 * n - 3, 4 * n - 1)
  full[n] = math.max(now, tonumber(redis.call('GET', key) or '0'))
  room[n] = math.floor(burst - (full[n] - now) / interval)
  enough = enough and room[n] >= tonumber(needed)
end
local answer = {}
for n, key in ipairs(KEYS) do
  local taken = 0
  if enough then
    taken = math.min(tonumber(ARGV[4 * n]), room[n])
    local later = math.floor(full[n] + taken * tonumber(ARGV[4 * n - 3]))
    redis.call('SET', key, string.format('%.0f', later), 'PX', math.ceil((later - now) / 1000) + 1)
  end
  answer[2 * n - 1], answer[2 * n] = taken, room[n] - taken
end
return answer
"""
"""Of each key: microseconds a unit, burst, units needed, units wanted. Answers: units taken, units left."""
LEASE_SHARE: Final = 20
"""A lease takes this part of a burst, so that 20 gateways can hold one each."""
LEASE_SECONDS: Final = 10.0
CLIENTS: Final = 20_000

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Charge(NamedTuple):
    """What one request takes from one bucket."""

    bucket: str
    plan: Plan
    cost: int


def of_account(plan: Plan, account: UUID, cost: int) -> Charge:
    """A charge to what one account may do."""
    return Charge(f"{plan.name}/{account}", plan, cost)


def of_address(plan: Plan, address: str, cost: int) -> Charge:
    """A charge to what one address may do, or one /64 of IPv6."""
    return Charge(f"{plan.name}/{limited_as(address)}", plan, cost)


@dataclass(slots=True)
class _Lease:
    """What is known of a bucket: units that we hold until `ends`, and what it had beside them at `asked`."""

    units: int
    ends: float
    room: int
    asked: float

    def held(self, now: float) -> int:
        return self.units if self.ends > now else 0

    def most(self, plan: Plan, now: float) -> int:
        """So much there may be at most; less when other gateways have taken some since."""
        return min(plan.burst, self.held(now) + self.room + int((now - self.asked) * plan.rate))


class Limiter:
    """Spends cost units of clients. `secret` hides who they are from those who can read Valkey."""

    def __init__(self, valkey: Redis, secret: str) -> None:
        self._take = valkey.register_script(SCRIPT)
        self._secret = secret.encode()
        self._leases: dict[str, _Lease] = {}
        self._local: dict[str, float] = {}
        self._asking: dict[str, asyncio.Event] = {}
        self._away_until = 0.0

    async def spend(self, charges: Sequence[Charge]) -> list[Header]:
        """Take all or nothing; the RateLimit headers to answer with. Raises ProblemError (429).

        They tell all policies, and the state of the bucket that has room for the fewest such requests.
        """
        while short := self._short(charges):
            await self._renew(short)
        tightest, least, more = charges[0], 0, math.inf
        for charge in charges:
            lease = self._leases[charge.bucket]
            lease.units -= charge.cost
            left = lease.units + lease.room
            if left / charge.cost < more:
                tightest, least, more = charge, left, left / charge.cost
        return _headers(charges, tightest, least)

    async def spend_identified(self, address: str, identifier: str, plan: Plan) -> list[Header]:
        """One try for an identifier (a handle or e-mail address, normalised as for look-up) from an address.

        Spends from the pair, and from what the address may do with all identifiers. Raises ProblemError
        (429).
        """
        name = f"{limited_as(address)}/{self._hidden(identifier)}"
        whole = [] if plan.whole_address is None else [of_address(plan.whole_address, address, 1)]
        return await self.spend([Charge(f"{plan.name}/{name}", plan, 1), *whole])

    def _short(self, charges: Sequence[Charge]) -> list[Charge]:
        """The charges that no lease covers; raises ProblemError (429) when there is known to be no room."""
        now = time.monotonic()
        short = []
        for charge in charges:
            lease = self._leases.get(charge.bucket)
            if lease is None:
                short.append(charge)
            elif lease.held(now) < charge.cost:
                if lease.most(charge.plan, now) < charge.cost:
                    raise _refusal(charges, charge, lease.most(charge.plan, now))
                short.append(charge)
        return short

    async def _renew(self, charges: Sequence[Charge]) -> None:
        """Take new leases, or wait for somebody who does so: fifty requests at once take one, not fifty."""
        for charge in charges:
            if (asked := self._asking.get(charge.bucket)) is not None:
                await asked.wait()
                return
        answered = asyncio.Event()
        self._asking.update((charge.bucket, answered) for charge in charges)
        try:
            await self._ask(charges)
        finally:
            for charge in charges:
                del self._asking[charge.bucket]
            answered.set()

    async def _ask(self, charges: Sequence[Charge]) -> None:
        needed = [charge.cost - self._held(charge.bucket) for charge in charges]
        answer = await self._shared(charges, needed)
        now = time.monotonic()
        for charge, taken, room in zip(charges, answer[::2], answer[1::2], strict=True):
            units = self._held(charge.bucket) + taken  # meanwhile a cheaper request may have spent some
            _keep(self._leases, charge.bucket, _Lease(units, now + LEASE_SECONDS, room, now))

    def _held(self, bucket: str) -> int:
        lease = self._leases.get(bucket)
        return 0 if lease is None else lease.held(time.monotonic())

    async def _shared(self, charges: Sequence[Charge], needed: Sequence[int]) -> list[int]:
        if time.monotonic() < self._away_until:
            return self._alone(charges, needed)
        numbers: list[float] = []
        for (_, plan, _), least in zip(charges, needed, strict=True):
            numbers += [1e6 / plan.rate, plan.burst, least, max(least, plan.burst // LEASE_SHARE)]
        keys = [f"pickly:limit:{self._hidden(charge.bucket)}" for charge in charges]
        try:
            answer: list[int] = await self._take(keys=keys, args=numbers)
        except AWAY as error:
            log.warning("limits are local: Valkey does not answer", error=describe(error))
            self._away_until = time.monotonic() + AWAY_SECONDS
            return self._alone(charges, needed)
        return answer

    def _alone(self, charges: Sequence[Charge], needed: Sequence[int]) -> list[int]:
        """The same rule in this process only; it leases nothing."""
        now = time.monotonic()
        full = [max(now, self._local.get(charge.bucket, 0.0)) for charge in charges]
        rooms = [
            int(plan.burst - (later - now) * plan.rate)
            for (_, plan, _), later in zip(charges, full, strict=True)
        ]
        if not all(room >= least for room, least in zip(rooms, needed, strict=True)):
            return [number for room in rooms for number in (0, room)]
        for charge, least, later in zip(charges, needed, full, strict=True):
            _keep(self._local, charge.bucket, later + least / charge.plan.rate)
        return [number for room, least in zip(rooms, needed, strict=True) for number in (least, room - least)]

    def _hidden(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), "sha256").hex()


def _headers(charges: Sequence[Charge], tightest: Charge, left: int) -> list[Header]:
    policies = b", ".join([charge.plan.policy for charge in charges])
    return [(b"ratelimit-policy", policies), (b"ratelimit", tightest.plan.state(left))]


def _refusal(charges: Sequence[Charge], short: Charge, left: int) -> ProblemError:
    plan = short.plan
    seconds = max(1, math.ceil(round((short.cost - left) / plan.rate, 3)))
    detail = f"The limit `{plan.name}` is {plan.burst} in {plan.seconds} s; try again in {seconds} s."
    headers = [(b"retry-after", b"%d" % seconds), *_headers(charges, short, left)]
    return ProblemError("too-many-requests", detail, headers=headers)


def _keep(kept: dict[str, T], bucket: str, value: T) -> None:
    """Remember the newest buckets only."""
    kept.pop(bucket, None)
    if len(kept) >= CLIENTS:
        del kept[next(iter(kept))]
    kept[bucket] = value
