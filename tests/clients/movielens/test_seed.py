"""Seeding a platform over HTTP: all of it, once, whatever happens meanwhile."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from clients.movielens.accounts import Accounts
from clients.movielens.ratings import Rating, read_ratings
from clients.movielens.seed import Seed, TooManyRefusalsError
from clients.python import NewPick, NewThing, Unauthorized
from tests.clients.movielens.data import RATINGS
from tests.clients.movielens.seeding import seed_at
from tests.clients.platform import Fault, Platform, account_of
from tests.clients.server import free_port, serving

ROOT = Path(__file__).parents[3]
PICKS = "/v1/picks"
STUCK = Fault("POST", PICKS, hangs=True, after=60)
"""From the 61st publication on: it takes effect, but its answer never comes."""


@pytest.fixture(scope="session")
def ratings(wheel: Path) -> list[Rating]:
    """All of the small data set."""
    return read_ratings(wheel)


def posted(platform: Platform) -> list[str]:
    """The keys of all publications that arrived, repeats included."""
    return [seen.headers["idempotency-key"] for seen in platform.sent("POST", PICKS)]


def wait_until_stuck(platform: Platform) -> None:
    """Return when no request of a seed with 8 at once gets an answer any more."""
    deadline = time.monotonic() + 60
    while len(posted(platform)) < 60 + 8:
        assert time.monotonic() < deadline, "the seed did not come this far"
        time.sleep(0.01)


def kill_when_stuck(platform: Platform, address: str, wheel: Path) -> None:
    """Run a seed in a process of its own and kill it in the middle."""
    command = [sys.executable, "-m", "tests.clients.movielens.seeding", address, str(wheel)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as seeding:
        try:
            wait_until_stuck(platform)
        finally:
            seeding.kill()


def assert_each_once(platform: Platform) -> None:
    """Every rating took effect exactly once."""
    assert len(platform.effects) == RATINGS
    assert set(platform.effects.values()) == {1}


async def test_every_rating_becomes_a_pick_of_its_person(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    tally = await Seed(ratings, accounts, console).run()

    assert_each_once(platform)
    assert tally.is_clean
    assert (tally.accepted, tally.there, tally.retried) == (RATINGS, 0, 0)
    shown = {(pick["author"]["id"], pick["thing"]["ref"], pick["rating"]) for pick in platform.picks.values()}
    assert shown == {(account_of(r.handle), r.ref, r.stars) for r in ratings}


async def test_a_second_run_sends_nothing(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    await Seed(ratings, accounts, console).run()

    tally = await Seed(ratings, accounts, console).run()

    assert (tally.accepted, tally.there, tally.is_clean) == (0, RATINGS, True)
    assert len(posted(platform)) == RATINGS


async def test_a_run_over_part_of_it_leaves_the_rest_to_the_next(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    await Seed(ratings[:50], accounts, console).run()

    tally = await Seed(ratings, accounts, console).run()

    assert (tally.there, tally.accepted) == (50, RATINGS - 50)
    assert_each_once(platform)


async def test_answers_that_are_lost_are_asked_for_again_under_the_same_key(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    kinds = [Fault("POST", PICKS), Fault("POST", PICKS, 503), Fault("POST", PICKS, 429, {"retry-after": "0"})]
    platform.faults += kinds * 10

    tally = await Seed(ratings, accounts, console, at_once=8).run()

    assert_each_once(platform)
    assert (tally.accepted, tally.retried, tally.is_clean) == (RATINGS, 30, True)
    assert 1 <= tally.repeated <= 30
    assert len(posted(platform)) == RATINGS + 30
    assert len(set(posted(platform))) == RATINGS


async def test_a_process_killed_in_the_middle_goes_on_where_it_was(
    platform: Platform, accounts: Accounts, address: str, ratings: list[Rating], wheel: Path, console: Console
) -> None:
    platform.faults += [STUCK] * 20
    await asyncio.to_thread(kill_when_stuck, platform, address, wheel)
    platform.faults.clear()

    tally = await Seed(ratings, accounts, console).run()

    assert_each_once(platform)
    assert tally.is_clean
    assert 60 <= tally.there < RATINGS


async def test_a_gateway_that_is_away_for_a_while_loses_nothing(
    platform: Platform, ratings: list[Rating], console: Console
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    platform.faults += [STUCK] * 20
    with serving(platform, port):
        seeding = asyncio.create_task(seed_at(address, ratings, console))
        await asyncio.to_thread(wait_until_stuck, platform)
    platform.faults.clear()
    with serving(platform, port):
        tally = await seeding

    assert_each_once(platform)
    assert tally.is_clean
    assert tally.retried > 0


async def test_it_ends_only_when_all_is_visible(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    platform.polls_until_done = 3

    tally = await Seed(ratings, accounts, console).run()

    assert tally.is_clean
    assert len(platform.shown()) == RATINGS


async def test_what_never_becomes_visible_is_told(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    hidden = ratings[5]
    platform.tamper_list = lambda _, picks: [p for p in picks if p["thing"]["ref"] != hidden.ref]
    same = sum(rating.ref == hidden.ref for rating in ratings)

    tally = await Seed(ratings, accounts, console).run(patience=1.0)

    assert not tally.is_clean
    assert len(tally.invisible) == same
    assert "done, but the account's page does not show it" in tally.invisible[0]


async def test_what_is_not_decided_is_told(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    platform.polls_until_done = 1_000_000

    tally = await Seed(ratings[:3], accounts, console).run(patience=0.3)

    assert not tally.is_clean
    assert "is pending" in tally.invisible[0]


async def test_what_is_refused_is_told_with_its_reason(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    platform.refuses[ratings[0].ref] = "deleted_restore_instead"
    same = sum(rating.ref == ratings[0].ref for rating in ratings)

    tally = await Seed(ratings, accounts, console).run()

    assert not tally.is_clean
    assert len(tally.refused) == same
    assert "refused: deleted_restore_instead" in tally.refused[0]
    assert len(platform.effects) == RATINGS - same


async def test_a_pick_that_its_person_published_otherwise_is_there_already(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    first = ratings[0]
    thing = NewThing(ref=first.ref, kind="film", title="By hand")
    await accounts.of(first.handle).publish(NewPick(thing=thing))

    tally = await Seed(ratings, accounts, console).run()

    assert (tally.there, tally.accepted, tally.is_clean) == (1, RATINGS - 1, True)


async def test_a_problem_is_told_and_the_rest_goes_on(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    platform.faults.append(Fault("POST", PICKS, 422, body={"type": "/problems/invalid", "title": "Invalid"}))

    tally = await Seed(ratings, accounts, console).run()

    assert (len(tally.refused), tally.accepted) == (1, RATINGS - 1)
    assert "422 Invalid" in tally.refused[0]


async def test_when_all_is_refused_it_stops_early(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    platform.faults += [Fault("POST", PICKS, 422)] * RATINGS

    with pytest.raises(TooManyRefusalsError):
        await Seed(ratings, accounts, console, at_once=4).run()

    assert len(posted(platform)) < RATINGS


async def test_tokens_that_the_gateway_does_not_take_stop_it_at_once(
    platform: Platform, accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    platform.faults.append(Fault("POST", PICKS, 401))

    with pytest.raises(Unauthorized):
        await Seed(ratings, accounts, console).run()


async def test_without_a_terminal_progress_is_lines(
    accounts: Accounts, ratings: list[Rating], console: Console
) -> None:
    await Seed(ratings, accounts, console).run()

    shown = console.file.getvalue()  # type: ignore[attr-defined]  # the fixture's file is a StringIO
    assert f"Publishing: {RATINGS} of {RATINGS}, " in shown
    assert "/s" in shown
