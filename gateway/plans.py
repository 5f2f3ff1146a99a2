"""How much of what a client may do: every rate limit by name, with its numbers from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gateway.config import GatewaySettings

BY_ADDRESS: Final = frozenset({"registration", "token-refresh", "verification"})
"""A route with such a limit spends from it when a request comes in."""
BY_IDENTIFIER: Final = frozenset({"sign-in", "password-reset"})
"""A route with such a limit spends from it when its body is parsed: `Limiter.spend_identified`."""
ROUTE_PLANS: Final = BY_ADDRESS | BY_IDENTIFIER


@dataclass(frozen=True)
class Plan:
    """`rate` units a second on average, `burst` at once."""

    name: str
    rate: float
    burst: int
    whole_address: "Plan | None" = None
    """For a plan per identifier and address: what the address may do with all identifiers together."""

    @cached_property
    def seconds(self) -> int:
        """The time in which an empty bucket fills."""
        return max(1, round(self.burst / self.rate))

    @cached_property
    def policy(self) -> bytes:
        """An item of RateLimit-Policy, as draft-ietf-httpapi-ratelimit-headers-10 has it."""
        return b'"%b";q=%d;w=%d' % (self.name.encode(), self.burst, self.seconds)

    def state(self, left: int) -> bytes:
        """An item of RateLimit, as the same draft has it."""
        left = min(max(0, left), self.burst)
        return b'"%b";r=%d;t=%d' % (self.name.encode(), left, round((self.burst - left) / self.rate))


def plans(limits: GatewaySettings) -> Mapping[str, Plan]:
    """`account`, `address` and those of `ROUTE_PLANS`."""
    quotas = {
        "sign-in": limits.sign_in_limit,
        "registration": limits.registration_limit,
        "password-reset": limits.password_reset_limit,
        "token-refresh": limits.token_refresh_limit,
        "verification": limits.verification_limit,
    }
    named = {
        "account": Plan("account", limits.account_rate, limits.account_burst),
        "address": Plan("address", limits.address_rate, limits.address_burst),
    }
    for name, quota in quotas.items():
        rate, most, times = quota.requests / quota.seconds, quota.requests, limits.identifiers_per_address
        whole = Plan(f"{name}-address", rate * times, most * times) if name in BY_IDENTIFIER else None
        named[name] = Plan(name, rate, most, whole)
    return named
