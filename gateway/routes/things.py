"""Things: show one, find one by its reference, list its picks."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from gateway.problems import ProblemError
from gateway.reads import picks as read_picks
from gateway.reads import things as read
from gateway.reads.represent import Representation
from gateway.routes.values import DEFAULT_LIMIT, CanonicalRef, Cursor, Limit
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import Picks, Thing, Things
from schemas import ids

reads = ReadRouter("Things")
SHOWN = ("read_things",)
Reference = Annotated[CanonicalRef, Query(description="As in a new pick.")]


@reads.read("/v1/things/{thing_id}", reads=SHOWN, may="public.read", shows=Thing, refusals=("not-found",))
async def show_thing(thing_id: UUID, look: Look) -> Representation:
    """One thing, and how it was picked."""
    shown = await read.one(look.services.database, thing_id)
    if shown is None:
        raise ProblemError("not-found", "There is no such thing.")
    return shown


@reads.read("/v1/things", reads=SHOWN, may="public.read", shows=Things)
async def find_thing(ref: Reference, look: Look) -> Representation:
    """The thing behind a reference, if anybody has picked it."""
    return await read.by_id(look.services.database, ids.thing_id(ref))


@reads.read("/v1/things/{thing_id}/picks", reads=read_picks.SHOWN, may="public.read", shows=Picks, cost=2)
async def list_picks_of_thing(
    thing_id: UUID, look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Representation:
    """Picks of a thing, newest publication first."""
    return await read_picks.page(
        look.services.database, look.pages, read_picks.OF_THING, thing_id, limit, cursor
    )
