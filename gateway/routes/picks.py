"""Picks: publish, change, delete, restore, show."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    with_config,
)
from typing_extensions import TypedDict

from gateway.problems import ProblemError
from gateway.reads import picks as read
from gateway.reads.represent import Representation
from gateway.routes.values import CanonicalRef
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import Pick
from schemas import ids
from schemas.picks import DeletePick, EditPick, PublishPick, RestorePick
from schemas.things import NewThing
from schemas.types import Note, Rating, Tags, When

writes = CommandRouter("Picks")
reads = ReadRouter("Picks")


def not_in_the_future(when: datetime) -> datetime:
    """Nobody has come to know a thing yet tomorrow."""
    if when > datetime.now(UTC):
        raise ValueError("must not be in the future")
    return when


PickedAt = Annotated[When, AfterValidator(not_in_the_future)]


class Strict(BaseModel):
    """A request body: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class PickedThing(Strict, NewThing):
    """The thing that is picked; who picks it first gives it its title."""

    ref: CanonicalRef = Field(description="A web address, or `isbn:…`, `imdb:…`, `movielens:…` and the like.")


class NewPick(Strict):
    """A pick to publish."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "thing": {"ref": "isbn:9780061054884", "kind": "book", "title": "The Dispossessed"},
                    "note": "Two worlds, and a wall between them.",
                    "rating": 4.5,
                    "tags": ["science fiction"],
                    "picked_at": "2026-11-01T18:30:00Z",
                }
            ]
        }
    )

    thing: PickedThing
    note: Note = ""
    rating: Rating | None = None
    tags: Tags = ()
    picked_at: PickedAt | None = Field(None, description="RFC 3339, not in the future; now when left out.")


@with_config(
    ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"minProperties": 1, "examples": [{"rating": 5, "note": "Better every time."}]},
    )
)
class PickChanges(TypedDict, total=False):
    """What to change; fields that are left out stay, a rating of null is cleared."""

    note: Note
    rating: Rating | None
    tags: Tags
    picked_at: PickedAt


def something(changes: PickChanges) -> PickChanges:
    """Refuse a change of nothing."""
    if not changes:
        raise ValueError("change at least one of note, rating, tags and picked_at")
    return changes


Changes = Annotated[PickChanges, AfterValidator(something)]


@writes.command(
    "POST", "/v1/picks", may="pick.publish", cost=3, creates=True, refusals=("already-picked", "deleted")
)
def publish_pick(pick: NewPick, caller: Call) -> PublishPick:
    """Publish a pick of a thing. One pick per person and thing: a second one is refused."""
    thing_id = ids.thing_id(pick.thing.ref)
    return PublishPick(
        pick_id=ids.pick_id(caller.account_id, thing_id),
        author_id=caller.account_id,
        thing_id=thing_id,
        thing=pick.thing,
        note=pick.note,
        rating=pick.rating,
        tags=pick.tags,
        picked_at=pick.picked_at,
    )


@writes.command("PATCH", "/v1/picks/{pick_id}", may="pick.change", cost=2, if_match="needed")
def edit_pick(pick_id: UUID, changes: Changes, caller: Call) -> EditPick:
    """Change your pick."""
    return EditPick(pick_id=pick_id, author_id=caller.account_id, **changes)


@writes.command("DELETE", "/v1/picks/{pick_id}", may="pick.change", cost=2, if_match="taken")
def delete_pick(pick_id: UUID, caller: Call) -> DeletePick:
    """Hide your pick from everybody but you; it can be restored for 30 days."""
    return DeletePick(pick_id=pick_id, author_id=caller.account_id)


@writes.command("POST", "/v1/picks/{pick_id}/restore", may="pick.change", cost=2, if_match="taken")
def restore_pick(pick_id: UUID, caller: Call) -> RestorePick:
    """Take the deletion of your pick back."""
    return RestorePick(pick_id=pick_id, author_id=caller.account_id)


@reads.read("/v1/picks/{pick_id}", reads=read.SHOWN, may="pick.read", shows=Pick, refusals=("not-found",))
async def show_pick(pick_id: UUID, look: Look) -> Representation:
    """One pick. A deleted one is shown to its author only."""
    shown = await read.one(look.services.database, pick_id, look.viewer)
    if shown is None:
        raise ProblemError("not-found", "There is no such pick.")
    return shown
