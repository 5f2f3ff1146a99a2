"""The check finds nothing on a right platform, and every planted difference on a wrong one."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from clients.movielens.accounts import Accounts
from clients.movielens.check import Check, Report
from clients.movielens.compare import is_mean
from clients.movielens.facts import read_facts
from clients.movielens.ratings import read_ratings
from clients.movielens.seed import Seed
from clients.python import NewPick, NewThing, Pickly
from tests.clients.movielens.data import FILMS, PEOPLE, RATINGS
from tests.clients.platform import Json, Platform

REF = "movielens:3"
ANA = "movielens_1"
FEED = "/v1/feeds/latest"


@pytest.fixture
async def seeded(platform: Platform, accounts: Accounts, wheel: Path, console: Console) -> Platform:
    """A platform that shows the whole small data set."""
    await Seed(read_ratings(wheel), accounts, console).run()
    return platform


async def compare(pickly: Pickly, wheel: Path, limit: int | None = None) -> Report:
    """What the check says."""
    return await Check(read_facts(wheel, limit), pickly, Console(quiet=True)).run()


def told(report: Report, *words: str) -> bool:
    """Whether some difference holds all words."""
    return any(all(word in str(difference) for word in words) for difference in report.differences)


async def test_a_right_platform_has_no_differences(seeded: Platform, pickly: Pickly, wheel: Path) -> None:
    report = await compare(pickly, wheel)

    assert str(report) == f"0 differences over {FILMS} things, {PEOPLE} accounts, {RATINGS} picks in the feed"


async def test_a_part_is_compared_with_the_same_part(
    platform: Platform, accounts: Accounts, pickly: Pickly, wheel: Path, console: Console
) -> None:
    await Seed(read_ratings(wheel, 40), accounts, console).run()

    assert (await compare(pickly, wheel, 40)).differences == []
    assert (await compare(pickly, wheel, 41)).differences != []
    assert (await compare(pickly, wheel, 39)).differences != []


async def test_picks_of_other_people_and_things_are_counted_apart(
    seeded: Platform, pickly: Pickly, wheel: Path
) -> None:
    thing = NewThing(ref="https://example.org/", kind="page", title="Example")
    await pickly.acting_as("token-of-zoe").publish(NewPick(thing=thing), wait=5)

    report = await compare(pickly, wheel)

    assert (report.differences, report.others) == ([], 1)


async def test_an_empty_platform_differs_everywhere(platform: Platform, pickly: Pickly, wheel: Path) -> None:
    report = await compare(pickly, wheel)

    assert len(report.differences) == FILMS + 2 * RATINGS  # thing pages, account pages, feed


def change(field: str, value: object) -> Callable[[Json], None]:
    """Make the page of one thing lie."""

    def tamper(thing: Json) -> None:
        if thing["ref"] == REF:
            thing[field] = value(thing[field]) if callable(value) else value

    return tamper


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pick_count", lambda count: count + 1),
        ("rating_count", lambda count: count - 1),
        ("rating_mean", lambda mean: round(mean + 0.0001, 4)),
        ("rating_mean", lambda mean: mean + 0.00004),
        ("rating_mean", None),
        ("rating_histogram", lambda counts: {**counts, "0.5": 1}),
        ("rating_histogram", lambda counts: {star: n for star, n in counts.items() if n}),
        ("title", "Another"),
        ("kind", "book"),
        ("ref", "movielens:03"),
    ],
)
async def test_a_wrong_thing_page_is_found(
    seeded: Platform, pickly: Pickly, wheel: Path, field: str, value: object
) -> None:
    seeded.tamper_thing = change(field, value)

    report = await compare(pickly, wheel)

    assert told(report, f"thing {REF}", field if field != "ref" else "page")


Tamper = Callable[[list[Json]], list[Json]]


def with_first(**changes: object) -> Tamper:
    """The list with its first pick changed."""
    return lambda picks: [{**picks[0], **changes}, *picks[1:]]


def swapped(picks: list[Json]) -> list[Json]:
    """The list with its oldest pick first."""
    return [picks[-1], *picks[:-1]]


def of_another_thing(picks: list[Json]) -> list[Json]:
    """The list with a pick too many, of a film that its author did not rate."""
    return [*picks, {**picks[-1], "thing": {**picks[-1]["thing"], "ref": "movielens:999"}}]


LISTS = {"account": f"/v1/accounts/@{ANA}/picks", "feed": FEED}


@pytest.mark.parametrize("where", ["account", "feed"])
@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (lambda picks: picks[1:], ("pick", "the file says it is there, the platform shows nothing")),
        (lambda picks: [picks[0], *picks], ("it 2 times",)),
        (of_another_thing, ("movielens:999", "the file says nothing")),
        (swapped, ("order by", "newer than the one before it")),
        (with_first(rating=0.5), ("rating", "shows 0.5")),
        (with_first(rating=None), ("rating", "shows None")),
        (with_first(tags=["drama"]), ("tags", "shows ['drama']")),
        (with_first(note="hello"), ("note", "hello")),
        (with_first(picked_at="1990-01-01T00:00:00Z"), ("picked_at", "shows 631152000.0")),
        (with_first(edited_at="2026-01-01T00:00:00Z"), ("edited_at",)),
    ],
    ids=["missing", "twice", "extra", "order", "rating", "no-rating", "tags", "note", "picked_at", "edited"],
)
async def test_a_wrong_list_is_found(
    seeded: Platform, pickly: Pickly, wheel: Path, where: str, tamper: Tamper, words: tuple[str, ...]
) -> None:
    seeded.tamper_list = lambda path, picks: tamper(picks) if path == LISTS[where] else picks

    report = await compare(pickly, wheel)

    assert told(report, where, *words)


async def test_picks_of_one_second_in_another_order_from_page_to_page_are_found(
    seeded: Platform, pickly: Pickly, wheel: Path
) -> None:
    def unstable(path: str, picks: list[Json]) -> list[Json]:
        calls.update([path])
        by_id = sorted(picks, key=lambda pick: str(pick["id"]), reverse=calls[path] % 2 == 0)
        return sorted(by_id, key=lambda pick: str(pick["picked_at"]), reverse=True)

    calls: Counter[str] = Counter()
    seeded.tamper_list = lambda path, picks: unstable(path, picks) if "accounts" in path else picks

    report = await compare(pickly, wheel)

    assert told(report, "order", "a stable one")
    assert not told(report, "order by picked_at")


async def test_a_missing_pick_on_a_things_own_list_is_found(
    seeded: Platform, pickly: Pickly, wheel: Path
) -> None:
    seeded.tamper_list = lambda path, picks: picks[:-1] if path.startswith("/v1/things/") else picks

    report = await compare(pickly, wheel)

    assert len([d for d in report.differences if d.where.startswith("thing")]) == FILMS


async def test_a_pick_too_many_of_a_film_by_somebody_else_is_found(
    seeded: Platform, pickly: Pickly, wheel: Path
) -> None:
    thing = NewThing(ref=REF, kind="film", title="Mine")
    await pickly.acting_as("token-of-zoe").publish(NewPick(thing=thing), wait=5)

    report = await compare(pickly, wheel)

    assert told(report, f"thing {REF}", "pick_count")
    assert told(report, "latest feed", f"{REF} by account")


@pytest.mark.parametrize(
    ("shown", "counts", "is_right"),
    [
        (3.5, {"3.0": 1, "4.0": 1}, True),
        (3.6667, {"3.0": 1, "4.0": 2}, True),
        (3.6666, {"3.0": 1, "4.0": 2}, False),
        (3.66667, {"3.0": 1, "4.0": 2}, False),
        (1.0312, {"1.0": 31, "2.0": 1}, True),
        (1.0313, {"1.0": 31, "2.0": 1}, True),
        (1.0314, {"1.0": 31, "2.0": 1}, False),
        (None, {"3.0": 1}, False),
    ],
)
def test_a_mean_is_right_to_four_decimals(
    shown: float | None, counts: dict[str, int], is_right: bool
) -> None:
    assert is_mean(shown, Counter(counts)) is is_right
