"""Guess counters: so many are free, then each costs a pause, in whatever order they come."""

from consumers.auth.store import guesses
from consumers.auth.store.guesses import Guess
from infra.runtime import Db
from tests.given import meta

GUESS = Guess(b"somebody", 3)


async def admitted(db: Db, *minutes: float) -> list[bool]:
    return [await guesses.admit(db, [GUESS], meta(minutes=at).at) for at in minutes]


async def test_the_free_ones_are_looked_at_then_each_costs_a_pause(auth_db: Db) -> None:
    assert await admitted(auth_db, 0, 0, 0, 0, 0.4) == [True, True, True, False, False]
    assert await admitted(auth_db, 0.5, 1, 1.5, 3, 3.5) == [True, False, True, False, True]


async def test_the_times_of_two_partitions_need_no_order(auth_db: Db) -> None:
    assert await admitted(auth_db, 1, 0.9, 0.8, 0.7) == [True, True, True, False]


async def test_a_right_one_takes_itself_back_and_leaves_the_others(auth_db: Db) -> None:
    await admitted(auth_db, 0, 0, 0)
    for _ in range(3):
        assert await admitted(auth_db, 0.5, 0.5) == [True, False]
        await guesses.uncount(auth_db, GUESS)

    assert await admitted(auth_db, 0.6, 1.5, 1.6) == [True, False, True]


async def test_a_day_later_all_is_forgotten(auth_db: Db) -> None:
    await admitted(auth_db, 0, 0, 0)

    assert await admitted(auth_db, 25 * 60, 25 * 60, 25 * 60, 25 * 60) == [True, True, True, False]
