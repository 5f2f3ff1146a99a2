"""Messages as the platform makes them, as many as wanted, the same in every run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid5

from schemas import ids
from schemas.picks import PickPublished, PublishPick
from schemas.reactions import React, Reacted
from schemas.things import NewThing, ThingAdded
from schemas.types import ReactionKind

THINGS = 1_682
"""As many as MovieLens 100K has: a pick is mostly of a thing that others have picked."""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: tuple[ReactionKind, ...] = ("like", "love", "insightful")


def thing(number: int) -> ThingAdded:
    """The n-th thing."""
    ref = f"movielens:{number}"
    title = f"The Film of the Number {number} (1974)"
    return ThingAdded(thing_id=ids.thing_id(ref), ref=ref, kind="film", title=title, version=1)


def publish(number: int) -> PublishPick:
    """The n-th pick: authors pick all things, one author after the other."""
    picked = thing(number % THINGS)
    author = ids.account_id(f"bench-{number // THINGS}")
    return PublishPick(
        pick_id=ids.pick_id(author, picked.thing_id),
        author_id=author,
        thing_id=picked.thing_id,
        thing=NewThing(ref=picked.ref, kind=picked.kind, title=picked.title),
        note=f"Number {number}: two worlds, and a wall between them.",
        rating=(number % 10 + 1) / 2,
        tags=("science fiction", "walls"),
        picked_at=BEGAN + timedelta(minutes=number),
    )


def published(number: int) -> PickPublished:
    """What `publish` leads to."""
    wish = publish(number)
    return PickPublished(
        **wish.model_dump(exclude={"thing"}), published_at=BEGAN + timedelta(minutes=number), version=1
    )


def react(number: int, picks: int) -> React:
    """The n-th reaction to one of the first `picks` picks; no edge twice."""
    liked = number % picks
    thing_id = ids.thing_id(f"movielens:{liked % THINGS}")
    pick_id = ids.pick_id(ids.account_id(f"bench-{liked // THINGS}"), thing_id)
    return React(pick_id=pick_id, account_id=ids.account_id(f"fan-{number // picks}"), kind="like")


def reactions(number: int) -> Iterator[Reacted]:
    """Up to three reactions to the n-th pick, of different kinds."""
    pick = published(number)
    for kind in KINDS[: number % 4]:
        account = uuid5(pick.pick_id, kind)
        yield Reacted(
            pick_id=pick.pick_id, account_id=account, kind=kind, reacted_at=pick.published_at, version=1
        )
