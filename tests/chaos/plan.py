"""The plan of faults: a pure function of length and seed, so that a run can be repeated.

What strikes at its own moment, fail points inside the processes, is seeded too, but passes as often as work
comes by; the plan is what is sure to happen.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal

from infra.roles import PROJECTIONS

Kind = Literal["kill", "freeze", "kill leader", "freeze leader", "power cut", "flush", "storm", "compact"]

DECIDERS: Final = ("curation", "social")
CONSUMERS: Final = (*(f"{group}-{n}" for group in DECIDERS for n in (1, 2)), "identity", *PROJECTIONS)
RELAYS: Final = ("relay-1", "relay-2")


@dataclass(frozen=True)
class Fault:
    """`target` is a process, a group (storm), the outbox whose relay is meant (leader), or a server."""

    second: float
    kind: Kind
    target: str


Card = tuple[Kind, str]

HEAVY: Final[tuple[Card, ...]] = (("power cut", "kafka"), ("power cut", "postgres"))
"""All stand still until the server is back, so these are given time."""

LIGHT: Final[tuple[Card, ...]] = (
    ("power cut", "valkey"),
    ("flush", "valkey"),
    ("kill", "gateway"),
    ("kill", "clock"),
    *(("kill", name) for name in (*CONSUMERS, *RELAYS)),
    *(("freeze", name) for name in CONSUMERS),
    *(("kill leader", schema) for schema in DECIDERS),
    *(("freeze leader", schema) for schema in DECIDERS),
    *(("storm", group) for group in DECIDERS),
)
FIRST: Final[tuple[Card, ...]] = (
    ("kill", "curation-1"),
    ("freeze", "social-1"),
    ("freeze leader", "curation"),
    ("kill leader", "social"),
    ("kill", "read_picks"),
    ("freeze", "read_things"),
    ("kill", "gateway"),
    ("power cut", "valkey"),
    ("flush", "valkey"),
    ("storm", "curation"),
    *HEAVY,
)
"""Dealt first: of each kind one, so that a short run has seen all of them."""

COMPACTION_AT: Final = 1.0
BEGIN: Final = 2.0
PAUSE: Final = (1.8, 3.4)
"""Seconds from one fault to the next, and after a heavy one as long again as HEAVY_PAUSE."""
HEAVY_PAUSE: Final = (4.0, 7.0)
CALM: Final = 3.0
"""Seconds without new faults before the load ends."""


def plan(seconds: float, seed: int) -> list[Fault]:
    """What strikes when, in order. Seconds count from the start of the load."""
    chance = random.Random(f"plan/{seed}")
    faults = [Fault(COMPACTION_AT, "compact", "state topics")]
    second = BEGIN
    deck: list[Card] = _shuffled(FIRST, chance)
    while second < seconds - CALM:
        if not deck:
            deck = _shuffled((*LIGHT, *HEAVY), chance)
        kind, target = card = deck.pop()
        faults.append(Fault(round(second, 2), kind, target))
        second += chance.uniform(*PAUSE)
        if card in HEAVY:
            second += chance.uniform(*HEAVY_PAUSE)
    return faults


def _shuffled(cards: tuple[Card, ...], chance: random.Random) -> list[Card]:
    return chance.sample(cards, len(cards))
