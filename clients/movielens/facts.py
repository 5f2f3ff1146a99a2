"""What the platform must show, computed from the file itself; shares no code with what `seed` publishes."""

import csv
import io
import re
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

INTERACTIONS = "recbole/dataset_example/ml-100k/ml-100k.inter"
ITEMS = "recbole/dataset_example/ml-100k/ml-100k.item"


@dataclass(frozen=True)
class PickFacts:
    """One pick: `at` is picked_at in seconds since 1970 (UTC)."""

    handle: str
    ref: str
    title: str
    tags: tuple[str, ...]
    rating: float
    at: int


@dataclass
class ThingFacts:
    """One thing: the number of picks by rating ("4.0"), and whose picks they are."""

    ref: str
    title: str
    ratings: Counter[str] = field(default_factory=Counter)
    handles: list[str] = field(default_factory=list)


@dataclass
class Facts:
    """Everything: things by ref, and by handle the picks of each account by ref."""

    things: dict[str, ThingFacts]
    accounts: dict[str, dict[str, PickFacts]]


def read_facts(wheel: Path, limit: int | None = None) -> Facts:
    """The facts of the first `limit` ratings by time (of all without), ties in the file's order.

    Only films that somebody rated are things: nobody has picked the others.
    """
    with zipfile.ZipFile(wheel) as archive:
        return facts_of(archive.read(INTERACTIONS), archive.read(ITEMS), limit)


def facts_of(interactions: bytes, items: bytes, limit: int | None = None) -> Facts:
    """The facts out of the bytes of an `.inter` and an `.item` file."""
    films = {film["item_id"]: film for film in _table(items)}
    lines = _table(interactions)
    by_time = sorted(range(len(lines)), key=lambda number: (float(lines[number]["timestamp"]), number))
    facts = Facts({}, defaultdict(dict))
    for number in by_time[:limit]:
        _count(facts, lines[number], films[lines[number]["item_id"]])
    return facts


def _count(facts: Facts, line: dict[str, str], film: dict[str, str]) -> None:
    ref, title, rating = "movielens:" + line["item_id"], _shown_title(film), float(line["rating"])
    tags = tuple(word.lower() for word in re.findall(r"\S+", film["class"]))[:10]
    handle = "movielens_" + line["user_id"]
    thing = facts.things.setdefault(ref, ThingFacts(ref, title))
    thing.ratings[f"{rating:.1f}"] += 1
    thing.handles.append(handle)
    at = round(float(line["timestamp"]))
    facts.accounts[handle][ref] = PickFacts(handle, ref, title, tags, rating, at)


def _shown_title(film: dict[str, str]) -> str:
    year = re.fullmatch(r"\d{4}", film["release_year"])
    return film["movie_title"] + (f" ({year[0]})" if year else "")


def _table(data: bytes) -> list[dict[str, str]]:
    """Rows by column name; RecBole's header gives every name its type ("rating:float"), dropped here."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    names = [name.partition(":")[0] for name in next(reader)]
    return [dict(zip(names, row, strict=True)) for row in reader]
