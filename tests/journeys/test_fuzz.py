"""Any request that the API's description allows or forbids: a declared answer, and nothing done for a no."""

import asyncio
import sys

import pytest

from infra.settings import Settings
from tests.journeys.fuzzing import Fuzzer, positions, published
from tests.journeys.stack import Stack


def settings_of(stack: Stack) -> Settings:
    """Where the broker is."""
    return Settings(kafka=stack.env["PICKLY_KAFKA"])


def fuzz(stack: Stack, cases: int, number: int) -> Fuzzer:
    """Send so many requests; every answer was judged when this returns."""
    fuzzer = Fuzzer(stack, number)
    config = settings_of(stack)
    before = asyncio.run(positions(config))
    try:
        fuzzer.run(cases)
    finally:
        tally = fuzzer.tally
        for operation, statuses in tally.statuses.items():
            sys.stdout.write(f"{operation:45} {dict(sorted(statuses.items()))}\n")
        sys.stdout.write(f"{'all':45} {dict(sorted(tally.total.items()))}, unsendable {tally.unsendable}\n")
    commands, origins = asyncio.run(published(config, before))
    assert commands == tally.accepted, "what is on the topics is not what was accepted"
    assert origins <= tally.accepted, "events that go back to no accepted command"
    return fuzzer


def assert_it_said_both_yes_and_no(fuzzer: Fuzzer, cases: int) -> None:
    tally = fuzzer.tally
    assert tally.total.total() >= 0.9 * cases
    assert tally.share(2, 3) >= 0.2
    assert tally.share(4) >= 0.2
    assert tally.total[429] == 0, "the limits were in the way"
    for operation, statuses in tally.statuses.items():
        assert {status // 100 for status in statuses} >= {2, 4}, operation
    assert len(tally.statuses) == 13, "every operation of the API was tried"


@pytest.mark.parametrize("cases", [1_500, pytest.param(20_000, marks=pytest.mark.long)])
def test_every_answer_is_a_declared_one_and_nothing_is_done_for_a_no(stack: Stack, cases: int) -> None:
    fuzzer = fuzz(stack, cases, number=cases)

    assert_it_said_both_yes_and_no(fuzzer, cases)
