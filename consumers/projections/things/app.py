"""Keeps things and how they were picked: counts, ratings, histogram."""

from consumers.projections.things import store
from infra.runtime import Batch, Db, Projection
from schemas.picks import PickDeleted, PickEdited, PickGone, PickPublished, PickRestored, PickState
from schemas.things import ThingAdded
from schemas.topics import PICK_EVENTS, THING_EVENTS

things = Projection("things", THING_EVENTS, PICK_EVENTS)


@things.on(ThingAdded)
async def show_thing(batch: Batch[ThingAdded], db: Db) -> None:
    """A thing's page begins with its first pick."""
    await store.show(db, [item.message for item in batch])


@things.on(PickPublished, PickEdited, PickDeleted, PickRestored)
async def count_pick(batch: Batch[PickState], db: Db) -> None:
    """Each visible pick counts once, in the bucket of its rating, whether or not its thing is known yet."""
    await store.count(db, [store.Edge.of(item.message) for item in batch])


@things.on(PickGone)
async def uncount_pick(batch: Batch[PickGone], db: Db) -> None:
    """A pick that is gone counts no more."""
    await store.uncount(db, [item.message for item in batch])
