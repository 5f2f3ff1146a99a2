"""The plan of faults follows from length and seed, and leaves nothing out."""

import pytest

from tests.chaos.plan import CALM, FIRST, HEAVY, LIGHT, plan


@pytest.mark.parametrize("seconds", [30, 300])
def test_the_same_seed_is_the_same_plan_and_another_one_another(seconds: float) -> None:
    assert plan(seconds, 7) == plan(seconds, 7)
    assert plan(seconds, 7) != plan(seconds, 8)


def test_faults_come_in_order_and_end_before_the_load() -> None:
    seconds = [fault.second for fault in plan(120, 3)]

    assert seconds == sorted(seconds)
    assert seconds[-1] < 120 - CALM


@pytest.mark.parametrize("seed", range(20))
def test_a_minute_has_each_kind_of_fault(seed: int) -> None:
    dealt = [(fault.kind, fault.target) for fault in plan(60, seed)]

    assert dealt[0] == ("compact", "state topics")
    assert set(FIRST) <= set(dealt)


@pytest.mark.parametrize("seed", range(20))
def test_five_minutes_have_every_fault_and_enough_of_them(seed: int) -> None:
    faults = plan(300, seed)

    assert {(fault.kind, fault.target) for fault in faults} >= {*LIGHT, *HEAVY}
    deadly = ("kill", "freeze", "kill leader", "freeze leader", "power cut")
    assert sum(fault.kind in deadly for fault in faults) >= 50
