"""Rate limits by cost: GCRA in Valkey, leased for several requests at once, and local while Valkey is away.

GCRA (ITU-T I.371): one number per client, the time at which its bucket would be full again.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from redis.asyncio import Redis

from gateway.answers import Header
from gateway.problems import ProblemError
from gateway.valkey import AWAY, AWAY_SECONDS
from infra.telemetry.errors import describe

SCRIPT: Final = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local cost, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local room = math.floor((now + burst * interval - full) / interval)
if room < cost then
  return {0, room}
end
local taken = math.min(wanted, room)
full = full + taken * interval
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return {taken, room - taken}
"""
LEASE_SHARE: Final = 20
"""A lease takes this part of a burst, so that 20 gateways can hold one each."""
LEASE_SECONDS: Final = 10.0
CLIENTS: Final = 20_000
LOCKS: Final = 64

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` units a second on average, `burst` at once."""

    name: str
    rate: int
    burst: int

    def headers(self, left: int) -> list[Header]:
        """RateLimit header fields as draft-ietf-httpapi-ratelimit-headers-10 has them (a draft)."""
        window = max(1, self.burst // self.rate)
        refill = max(0, self.burst - left) // self.rate
        return [
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (self.name.encode(), self.burst, window)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (self.name.encode(), max(0, left), refill)),
        ]


@dataclass(slots=True)
class _Lease:
    units: int
    ends: float
    beyond: int  # units that the shared bucket had left when this was taken


class Limiter:
    """Spends cost units of clients."""

    def __init__(self, valkey: Redis) -> None:
        self._take = valkey.register_script(SCRIPT)
        self._leases: dict[str, _Lease] = {}
        self._local: dict[str, float] = {}
        self._locks = [asyncio.Lock() for _ in range(LOCKS)]
        self._away_until = 0.0

    async def spend(self, client: str, cost: int, plan: Plan) -> list[Header]:
        """Take `cost` units of `client`; the RateLimit headers to answer with. Raises ProblemError (429)."""
        lease = self._lease(client, cost)
        if lease is None:
            async with self._locks[hash(client) % LOCKS]:  # fifty requests at once take one lease, not fifty
                lease = self._lease(client, cost) or await self._renew(client, cost, plan)
        lease.units -= cost
        return plan.headers(lease.units + lease.beyond)

    def _lease(self, client: str, cost: int) -> _Lease | None:
        lease = self._leases.get(client)
        return lease if lease and lease.units >= cost and lease.ends > time.monotonic() else None

    async def _renew(self, client: str, cost: int, plan: Plan) -> _Lease:
        taken, left = await self._shared(client, cost, plan)
        if taken < cost:
            seconds = -(-(cost - left) // plan.rate)
            headers = [(b"retry-after", b"%d" % max(1, seconds)), *plan.headers(left)]
            raise ProblemError(
                "too-many-requests", f"At most {plan.rate} cost units a second.", headers=headers
            )
        lease = _Lease(taken, time.monotonic() + LEASE_SECONDS, left)
        _keep(self._leases, client, lease)
        return lease

    async def _shared(self, client: str, cost: int, plan: Plan) -> tuple[int, int]:
        if time.monotonic() < self._away_until:
            return self._alone(client, cost, plan)
        wanted = max(cost, plan.burst // LEASE_SHARE)
        try:
            taken, left = await self._take(
                keys=[f"pickly:limit:{client}"], args=[1e6 / plan.rate, plan.burst, cost, wanted]
            )
        except AWAY as error:
            log.warning("limits are local: Valkey does not answer", error=describe(error))
            self._away_until = time.monotonic() + AWAY_SECONDS
            return self._alone(client, cost, plan)
        return int(taken), int(left)

    def _alone(self, client: str, cost: int, plan: Plan) -> tuple[int, int]:
        """The same rule in this process only."""
        now = time.monotonic()
        full = max(now, self._local.get(client, 0.0))
        room = int((now - full) * plan.rate + plan.burst)
        if room < cost:
            return 0, room
        _keep(self._local, client, full + cost / plan.rate)
        return cost, room - cost


def _keep(kept: dict[str, T], client: str, value: T) -> None:
    """Remember the newest clients only."""
    kept.pop(client, None)
    if len(kept) >= CLIENTS:
        del kept[next(iter(kept))]
    kept[client] = value
