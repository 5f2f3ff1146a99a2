"""Whatever happens in whatever order: one effect per command, order per key, a true log and read model."""

import os
import secrets
import sys
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from infra.runtime import gone, inbox, letters, marked, poll, positions
from infra.runtime.handlers import Db
from tests.infra.runtime.machine import contract
from tests.infra.runtime.machine.house import House
from tests.infra.runtime.machine.machine import RuntimeMachine

STEPS: Final = 25
EXAMPLES: Final = 15
SEED: Final = "PICKLY_SEED"
"""With it a run is repeated, and a failing example made small, which takes minutes."""


def explore(house: House, examples: int, number: int) -> None:
    """Run so many examples. One that fails is printed as a program, with its blob; small, if asked again."""
    machine: Any = seed(number)(type("Machine", (RuntimeMachine,), {"house": house}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink] if SEED in os.environ else [Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def a_seed() -> int:
    """That of the environment, or a new one; printed, so that a failing run can be repeated."""
    number = int(os.environ.get(SEED) or secrets.randbelow(2**32))
    sys.stdout.write(f"\n{SEED}={number}\n")
    return number


ENOUGH: Final = {
    "step": 1_000,
    "records deciding": 1_000,
    "read model compared": 300,
    "death": 10,
    "overtaken": 5,
    "fenced": 5,
    "relay dies": 3,
    "command again": 10,
    "letters": 5,
    "restore": 2,
    "read model begun": 2,
}
"""How often a short run must have seen each thing, by the beginning of its name."""


def missing(house: House, times: int) -> dict[str, int]:
    """What has not happened often enough yet, and how often it has."""
    seen = {what: sum(n for name, n in house.done.items() if name.startswith(what)) for what in ENOUGH}
    return {what: n for what, n in seen.items() if n < times * ENOUGH[what]}


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.long)])
def test_whatever_happens_in_whatever_order_ends_well(house: House, times: int) -> None:
    number = a_seed()

    for n in range(10 * times):
        if missing(house, times):
            explore(house, EXAMPLES, number + n)

    sys.stdout.write(f"{dict(sorted(house.done.items()))}\n")
    assert not missing(house, times)


async def no_repeats(db: Db, group: str, ids: set[UUID]) -> set[UUID]:
    return set()


async def nothing(*arguments: object) -> None:
    return None


async def nobody_is_parked(*arguments: object) -> set[tuple[str, str]]:
    return set()


def never_stale(*arguments: object) -> None:
    return None


UNCOMPARED: Final = positions.FENCE.replace("AND p.next_offset = m.expected", "")
OUT_OF_TURN: Final = marked.STILL_DUE.replace("NOT ($6 AND", "NOT (NOT $6 AND")
UNGUARDED: Final = contract.SHOW.replace("WHERE coalesce(c.version, 0) < $3", "")
BUGS: Final[dict[str, list[tuple[Any, str, object]]]] = {
    "no inbox": [(inbox, "admit", no_repeats)],
    "a fence that does not compare": [(positions, "FENCE", UNCOMPARED)],
    "tombstones are forgotten": [(gone, "remember", nothing)],
    "keys are not parked": [(letters, "parked_keys", nobody_is_parked)],
    "no guard of staleness": [(poll, "staleness", never_stale)],
    "letters are replayed out of turn": [(marked, "STILL_DUE", OUT_OF_TURN)],
    "a read model without a version guard": [(contract, "SHOW", UNGUARDED)],
}


def hunt(house: House) -> None:
    """Explore as long as the short form may."""
    for number in range(10):
        explore(house, EXAMPLES, number)


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("house", [False], indirect=True, ids=["one at a time"])
def test_a_bug_is_found_in_that_time(house: House, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    for owner, name, planted in BUGS[bug]:
        assert getattr(owner, name) != planted
        monkeypatch.setattr(owner, name, planted)

    with pytest.raises(AssertionError):
        hunt(house)
