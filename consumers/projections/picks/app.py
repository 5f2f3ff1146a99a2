"""Keeps picks and their reactions as pages show them."""

from consumers.projections.picks import store
from infra.runtime import Batch, Db, Projection
from schemas.picks import PickDeleted, PickEdited, PickGone, PickPublished, PickRestored, PickState
from schemas.reactions import Reacted, ReactionGone
from schemas.topics import PICK_EVENTS, REACTION_EVENTS

picks = Projection("picks", PICK_EVENTS, REACTION_EVENTS)


@picks.on(PickPublished, PickEdited, PickDeleted, PickRestored)
async def show(batch: Batch[PickState], db: Db) -> None:
    """The newest state of each pick, as ready JSON."""
    await store.show(db, [item.message for item in batch])


@picks.on(PickGone)
async def hide(batch: Batch[PickGone], db: Db) -> None:
    """Gone is gone; reactions end by their own tombstones."""
    await store.hide(db, [item.message for item in batch])


@picks.on(Reacted)
async def count_reaction(batch: Batch[Reacted], db: Db) -> None:
    """Each edge counts once, whether or not its pick is known yet."""
    await store.react(db, [item.message for item in batch])


@picks.on(ReactionGone)
async def uncount_reaction(batch: Batch[ReactionGone], db: Db) -> None:
    """An edge that was counted counts no more."""
    await store.unreact(db, [item.message for item in batch])
