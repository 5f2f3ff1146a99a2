"""Pure comparisons of what the platform shows with what the file says."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from clients.movielens.facts import PickFacts, ThingFacts
from clients.python import Pick, Thing

STARS = tuple(f"{half / 2:.1f}" for half in range(1, 11))


@dataclass(frozen=True)
class Difference:
    """One place where platform and file disagree."""

    where: str
    what: str
    expected: str
    shown: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: the file says {self.expected}, the platform shows {self.shown}"


def differing(where: str, rows: Iterable[tuple[str, object, object]]) -> Iterator[Difference]:
    """A difference for each row of (what, expected, shown) whose last two are not equal."""
    for what, expected, shown in rows:
        if expected != shown:
            yield Difference(where, what, repr(expected), repr(shown))


def thing_differences(facts: ThingFacts, shown: Thing, where: str) -> Iterator[Difference]:
    """Everything that a thing's page says about itself and its picks."""
    count = facts.ratings.total()
    yield from differing(
        where,
        [
            ("ref", facts.ref, shown.ref),
            ("kind", "film", shown.kind),
            ("title", facts.title, shown.title),
            ("pick_count", count, shown.pick_count),
            ("rating_count", count, shown.rating_count),
            ("rating_histogram", {star: facts.ratings[star] for star in STARS}, shown.rating_histogram),
        ],
    )
    if not is_mean(shown.rating_mean, facts.ratings):
        yield Difference(where, "rating_mean", f"{float(exact_mean(facts.ratings))}", f"{shown.rating_mean}")


def exact_mean(ratings: Counter[str]) -> Fraction:
    """The mean of ratings counted by their text ("4.0"), without rounding."""
    return sum((Fraction(star) * count for star, count in ratings.items()), Fraction()) / ratings.total()


def is_mean(shown: float | None, ratings: Counter[str]) -> bool:
    """Whether `shown` is the mean rounded to 4 decimals; half-way it may be rounded either way."""
    if shown is None:
        return False
    decimal = Decimal(repr(shown))
    has_four = decimal == round(decimal, 4)
    return has_four and abs(Fraction(decimal) - exact_mean(ratings)) <= Fraction(1, 20_000)


def pick_differences(facts: PickFacts, shown: Pick, where: str) -> Iterator[Difference]:
    """Everything that a pick shows, wherever it is listed."""
    yield from differing(
        f"{where}, pick of {facts.ref}",
        [
            ("kind", "film", shown.thing.kind),
            ("title", facts.title, shown.thing.title),
            ("rating", facts.rating, shown.rating),
            ("tags", list(facts.tags), shown.tags),
            ("note", "", shown.note or ""),
            ("picked_at", facts.at, shown.picked_at.timestamp()),
            ("edited_at", None, shown.edited_at),
        ],
    )


def set_differences(
    where: str, expected: Iterable[str], shown: Sequence[str], name: str = "pick of"
) -> Iterator[Difference]:
    """What is missing, what should not be there, and what is there more than once."""
    times = Counter(shown)
    wanted = set(expected)
    for key in sorted(wanted - times.keys()):
        yield Difference(where, f"{name} {key}", "it is there", "nothing")
    for key in sorted(times.keys() - wanted):
        yield Difference(where, f"{name} {key}", "nothing", "it")
    for key, count in sorted(times.items()):
        if count > 1:
            yield Difference(where, f"{name} {key}", "it once", f"it {count} times")


def order_differences(where: str, what: str, times: Sequence[datetime]) -> Iterator[Difference]:
    """Where a list that begins with the newest goes up again."""
    for number in range(1, len(times)):
        if times[number] > times[number - 1]:
            place = f"item {number + 1} newer than the one before it"
            yield Difference(where, f"order by {what}", "newest first", place)
