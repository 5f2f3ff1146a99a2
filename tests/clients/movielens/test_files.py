"""Both readers of the data set, on a small file in the same format; and that they agree."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.movielens.facts import Facts, facts_of, read_facts
from clients.movielens.ratings import ratings_of, read_films, read_ratings
from clients.movielens.wheel import NoDataSetError
from tests.clients.movielens.data import INTER_HEADER, ITEM_HEADER, RATINGS

ITEMS = f"""\
{ITEM_HEADER}
1\tToy Story\t1995\tAnimation Children's Comedy
2\tNénette et Boni\t1996\tDrama
3\tunkonwn\tunkonwn\tunknown
4\tLand Before Time III (1995)\tV\tAnimation
5\tNobody rated it\t1990\tSci-Fi
6\tTagged\t1991\tA B C D E F G H I J K L
"""
INTERACTIONS = f"""\
{INTER_HEADER}
196\t1\t3\t881250949
186\t2\t5\t881250948
196\t3\t1\t881250949
7\t4\t4\t881250947
7\t1\t4\t881250949
7\t6\t2\t881250950
"""


def facts(limit: int | None = None) -> Facts:
    """What the check expects of the small file."""
    return facts_of(INTERACTIONS.encode(), ITEMS.encode(), limit)


def test_ratings_come_by_time_and_within_a_second_in_the_order_of_the_file() -> None:
    ratings = ratings_of(INTERACTIONS, read_films(ITEMS))

    assert [(rating.handle, rating.ref) for rating in ratings] == [
        ("movielens_7", "movielens:4"),
        ("movielens_186", "movielens:2"),
        ("movielens_196", "movielens:1"),
        ("movielens_196", "movielens:3"),
        ("movielens_7", "movielens:1"),
        ("movielens_7", "movielens:6"),
    ]


def test_a_rating_becomes_a_pick_with_year_genres_stars_and_its_time() -> None:
    rating = ratings_of(INTERACTIONS, read_films(ITEMS))[2]

    pick = rating.pick()

    assert (pick.thing.ref, pick.thing.kind, pick.thing.title) == ("movielens:1", "film", "Toy Story (1995)")
    assert (pick.tags, pick.rating, rating.key) == (
        ["animation", "children's", "comedy"],
        3.0,
        "movielens-196-1",
    )
    assert pick.picked_at == datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC)


def test_a_film_without_a_year_keeps_its_title_and_tags_end_at_ten() -> None:
    films = read_films(ITEMS)

    titles = [films[item].thing.title for item in ("2", "3", "4")]
    assert titles == ["Nénette et Boni (1996)", "unkonwn", "Land Before Time III (1995)"]
    assert films["6"].tags == list("abcdefghij")


def test_the_check_counts_for_itself() -> None:
    expected = facts()

    assert sorted(expected.things) == [
        "movielens:1",
        "movielens:2",
        "movielens:3",
        "movielens:4",
        "movielens:6",
    ]
    toy_story = expected.things["movielens:1"]
    assert (toy_story.title, toy_story.ratings) == ("Toy Story (1995)", {"3.0": 1, "4.0": 1})
    assert sorted(toy_story.handles) == ["movielens_196", "movielens_7"]
    pick = expected.accounts["movielens_7"]["movielens:6"]
    assert (pick.tags, pick.rating, pick.at) == (tuple("abcdefghij"), 2.0, 881250950)
    assert expected.things["movielens:3"].title == "unkonwn"


@pytest.mark.parametrize("limit", [None, 1, 3, 150])
def test_both_readers_agree_on_every_pick(wheel: Path, limit: int | None) -> None:
    ratings, expected = read_ratings(wheel, limit), read_facts(wheel, limit)

    published = {
        (rating.handle, rating.ref, rating.film.thing.title, tuple(rating.film.tags), rating.stars, rating.at)
        for rating in ratings
    }
    shown = {
        (pick.handle, pick.ref, pick.title, pick.tags, pick.rating, pick.at)
        for picks in expected.accounts.values()
        for pick in picks.values()
    }
    assert published == shown
    assert len(ratings) == min(limit or RATINGS, RATINGS)


def test_a_file_that_is_no_wheel_is_a_clear_error(tmp_path: Path) -> None:
    broken = tmp_path / "recbole.whl"
    broken.write_bytes(b"no zip")

    with pytest.raises(NoDataSetError, match="Delete it"):
        read_ratings(broken)
