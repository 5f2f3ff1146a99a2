"""The honest run, and for each control the run that it surely and soon fails."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.chaos.crowd import Habits
from tests.chaos.plan import plan
from tests.chaos.points import CONSUMER, RELAY, Point
from tests.chaos.processes import Rig
from tests.chaos.run import Run

HONEST: Final = (
    *(Point(name, action, 0.0001) for name in CONSUMER for action in ("kill", "freeze")),
    *(Point(name, action, 0.001) for name in RELAY for action in ("kill", "freeze")),
)
"""Rare: every few seconds one of them, for points are passed hundreds of times a second."""

RESTLESS: Final = Habits(over_http=0.25, waiting=0.0, twice=0.15, repeated=1.0, late=(1.0, 4.0), looks=False)
FROZEN: Final = Habits(over_http=0.25, waiting=0.0, looks=False, steps=(6, 12), pause=(0.1, 0.5))


def honest(seconds: float, seed: int) -> Run:
    """Everything at once, on a product that nobody broke."""
    return Run(seconds, seed, plan(seconds, seed), Rig(seed, HONEST))


def controlled(control: str, seed: int, seconds: float | None = None) -> Run:
    """A run on a product that is broken in the way of `control`, with the faults that show it."""
    run = CONTROLLED[control]
    return replace(
        run, seconds=seconds or run.seconds, seed=seed, rig=replace(run.rig, seed=seed, control=control)
    )


def _short(seconds: float, habits: Habits, *points: Point, frozen_seconds: float = 11.0) -> Run:
    return Run(
        seconds,
        0,
        (),
        Rig(points=points),
        habits=habits,
        frozen_seconds=frozen_seconds,
        rest_seconds=60.0,
        poison=False,
        whole=False,
    )


CONTROLLED: Final[Mapping[str, Run]] = {
    "no-inbox": _short(8.0, RESTLESS),
    "commit-before-effect": _short(8.0, RESTLESS, Point("handled", "kill", 0.03)),
    "ack-first": _short(8.0, RESTLESS, Point("begun", "kill", 0.03)),
    "relay-unfenced": _short(20.0, FROZEN, Point("read", "freeze", 0.05), frozen_seconds=6.0),
}
