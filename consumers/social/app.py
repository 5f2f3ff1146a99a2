"""Social: who reacts how to which pick. Hot, so its handlers take many at once."""

from collections.abc import Sequence

from consumers.social import rules, store
from infra.partitions import partition_of
from infra.runtime import Batch, Db, Decider, Refusal, Unchanged
from schemas.envelope import Meta
from schemas.message import Tick
from schemas.picks import PickDeleted, PickEdited, PickGone, PickPublished, PickRestored, PickState
from schemas.reactions import React, Reacted, ReactionGone, Unreact
from schemas.topics import PICK_EVENTS, REACTION_COMMANDS

social = Decider("social", REACTION_COMMANDS, PICK_EVENTS, ignores=(PickEdited,))


@social.on_batch(React)
async def react(batch: Batch[React], db: Db) -> Sequence[Reacted | Refusal | Unchanged]:
    """One reaction per account, pick and kind; a closed pick takes none, an unknown one may be on its way."""
    known = await store.load(db, [item.message for item in batch])
    outcomes = [rules.reacted(known, message, meta) for message, meta in batch]
    added = zip(outcomes, batch, strict=True)
    await store.add(db, [(edge, item.meta.id) for edge, item in added if isinstance(edge, Reacted)])
    return outcomes


@social.on_batch(Unreact)
async def unreact(batch: Batch[Unreact], db: Db) -> Sequence[ReactionGone | Unchanged]:
    """What is not there cannot be taken back; that is no error."""
    known = await store.load(db, [item.message for item in batch])
    ended = await store.ended_by(db, [m for m, _ in batch if m.key not in known.edges])
    outcomes = [rules.unreacted(known, ended, message) for message, _ in batch]
    removed = zip(outcomes, batch, strict=True)
    await store.remove(db, [(edge, item.meta) for edge, item in removed if isinstance(edge, ReactionGone)])
    return outcomes


@social.on_batch(PickPublished, PickDeleted, PickRestored)
async def note_pick(batch: Batch[PickState], db: Db) -> Sequence[Unchanged]:
    """A deleted pick is closed; its reactions stay, for it may come back."""
    await store.note_picks(db, [item.message for item in batch])
    return [Unchanged() for _ in batch]


@social.on(PickGone)
async def close_pick(gone: PickGone, meta: Meta, db: Db) -> Sequence[ReactionGone]:
    """The reactions of a pick go with it, a page at once and the rest with the ticks."""
    await store.close_for_good(db, gone.pick_id, gone.version)
    return await store.bury(db, partition_of(gone.key, REACTION_COMMANDS))


@social.on(Tick, cost=0.1)
async def clean_up(tick: Tick, meta: Meta, db: Db) -> Sequence[ReactionGone]:
    """Reactions of picks that are gone, and of picks that nobody heard of for a day; once a minute."""
    if tick.topic != REACTION_COMMANDS.name:
        return []
    await store.forget_ends(db, tick.partition, meta.at)
    return [*await store.bury(db, tick.partition), *await store.sweep(db, tick.partition, meta.at)]
