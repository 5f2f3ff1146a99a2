"""Ready-made people, things and messages, for tests that say only what matters to them."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from infra.runtime import Item
from schemas import ids
from schemas.envelope import Meta
from schemas.picks import PickPublished, PickState, PublishPick
from schemas.reactions import React, Reacted, ReactionGone, Unreact
from schemas.things import NewThing, ThingAdded

S = TypeVar("S", bound=PickState)

ANA = ids.account_id("ana")
BO = ids.account_id("bo")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DISPOSSESSED = NewThing(ref="isbn:9780061054884", kind="book", title="The Dispossessed")
SOLARIS = NewThing(ref="imdb:tt0069293", kind="film", title="Solaris")


def meta(actor: UUID | None = ANA, *, minutes: float = 0, **fields: Any) -> Meta:
    """The envelope of something that `actor` asked for so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    return Meta(fields.pop("id", None) or uuid4(), "Test", at, "", actor=actor, **fields)


def a_pick(author: UUID = ANA, thing: NewThing = DISPOSSESSED, **fields: Any) -> PublishPick:
    """A wish to publish."""
    thing_id = ids.thing_id(thing.ref)
    return PublishPick(
        pick_id=ids.pick_id(author, thing_id), author_id=author, thing_id=thing_id, thing=thing, **fields
    )


def published(author: UUID = ANA, thing: NewThing = DISPOSSESSED, **fields: Any) -> PickPublished:
    """The state after a pick was published at noon."""
    return a_state(PickPublished, author, thing, **fields)


def a_state(kind: type[S], author: UUID = ANA, thing: NewThing = DISPOSSESSED, **fields: Any) -> S:
    """A state of a pick."""
    thing_id = ids.thing_id(thing.ref)
    defaults: dict[str, Any] = {"version": 1, "picked_at": NOON, "published_at": NOON}
    known: dict[str, Any] = {
        "pick_id": ids.pick_id(author, thing_id),
        "author_id": author,
        "thing_id": thing_id,
    }
    return kind(**known | defaults | fields)


def added(thing: NewThing = DISPOSSESSED) -> ThingAdded:
    """The thing, just added."""
    return ThingAdded(thing_id=ids.thing_id(thing.ref), **thing.model_dump(), version=1)


PICK = a_pick().pick_id


def reacts(account: UUID = BO, kind: Any = "like", pick: UUID = PICK) -> React:
    """A wish to react."""
    return React(pick_id=pick, account_id=account, kind=kind)


def unreacts(account: UUID = BO, kind: Any = "like", pick: UUID = PICK) -> Unreact:
    """A wish to take it back."""
    return Unreact(pick_id=pick, account_id=account, kind=kind)


def reacted(account: UUID = BO, kind: Any = "like", pick: UUID = PICK, version: int = 1) -> Reacted:
    """The edge, as it stands."""
    return Reacted(pick_id=pick, account_id=account, kind=kind, reacted_at=NOON, version=version)


def reaction_gone(
    account: UUID = BO, kind: Any = "like", pick: UUID = PICK, version: int = 2
) -> ReactionGone:
    """The end of the edge."""
    return ReactionGone(pick_id=pick, account_id=account, kind=kind, version=version)


def batch(*messages: Any, minutes: float = 0) -> list[Item[Any]]:
    """The messages as a batch handler gets them, each asked for by its account."""
    return [Item(each, meta(getattr(each, "account_id", None), minutes=minutes)) for each in messages]
