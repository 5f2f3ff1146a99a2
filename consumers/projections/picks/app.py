"""Keeps picks, their authors and their reactions as pages show them."""

from consumers.projections.picks import store
from infra.runtime import Batch, Db, Projection
from schemas.accounts import (
    AccountDeactivated,
    AccountDeletionAsked,
    AccountDeletionCancelled,
    AccountGone,
    AccountOpened,
    AccountReactivated,
    AccountState,
)
from schemas.picks import PickDeleted, PickEdited, PickGone, PickPublished, PickRestored, PickState
from schemas.profile import HandleChanged, ProfileChanged
from schemas.reactions import Reacted, ReactionGone
from schemas.roles import RolesChanged
from schemas.topics import ACCOUNT_EVENTS, PICK_EVENTS, REACTION_EVENTS

picks = Projection("picks", PICK_EVENTS, REACTION_EVENTS, ACCOUNT_EVENTS)


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


@picks.on(
    AccountOpened,
    ProfileChanged,
    HandleChanged,
    AccountDeactivated,
    AccountReactivated,
    AccountDeletionAsked,
    AccountDeletionCancelled,
    RolesChanged,
)
async def introduce(batch: Batch[AccountState], db: Db) -> None:
    """An author is kept whether or not he has picked anything yet."""
    await store.introduce(db, [item.message for item in batch])


@picks.on(AccountGone)
async def forget(batch: Batch[AccountGone], db: Db) -> None:
    """Of an author that is gone the picks show the id, until they are gone too."""
    await store.forget(db, [item.message for item in batch])
