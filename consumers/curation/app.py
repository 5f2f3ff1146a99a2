"""Curation: things and picks. The table of contents; rules are in rules.py, SQL in store.py."""

from collections.abc import Sequence

from consumers.curation import rules, store
from infra.runtime import Db, Decider, Refusal, Unchanged
from schemas.envelope import Meta
from schemas.message import Message, Tick
from schemas.picks import (
    DeletePick,
    EditPick,
    PickDeleted,
    PickEdited,
    PickGone,
    PickRestored,
    PublishPick,
    RestorePick,
)
from schemas.topics import PICK_COMMANDS

curation = Decider("curation", PICK_COMMANDS)


@curation.on(PublishPick)
async def publish_pick(pick: PublishPick, meta: Meta, db: Db) -> Sequence[Message] | Refusal:
    """A person picks a thing once; the first picker of a thing adds it."""
    first = rules.published(pick, meta)
    kept = await store.add(db, first, pick.thing, meta.id)
    if kept.version is None:
        return Refusal("deleted" if kept.was_deleted else "already_picked", after=kept.changed_by)
    published = rules.at_version(first, kept.version)
    return [rules.added(pick), published] if kept.adds_thing else [published]


@curation.on(EditPick)
async def edit_pick(edit: EditPick, meta: Meta, db: Db) -> PickEdited | Refusal | Unchanged:
    """Its author changes what is set; an edit that changes nothing is none."""
    found = rules.changeable(await store.get(db, edit.pick_id), edit, meta)
    if isinstance(found, Refusal):
        return found
    if found.pick.deleted_at is not None:
        return Refusal("deleted", after=found.changed_by)
    edited = rules.edited(found.pick, edit, meta)
    if edited is None:
        return Unchanged(after=found.changed_by)
    await store.save(db, edited, meta.id)
    return edited


@curation.on(DeletePick)
async def delete_pick(delete: DeletePick, meta: Meta, db: Db) -> PickDeleted | Refusal | Unchanged:
    """Its author hides a pick; for 30 days it can come back."""
    found = rules.changeable(await store.get(db, delete.pick_id), delete, meta)
    if isinstance(found, Refusal):
        return found
    if found.pick.deleted_at is not None:
        return Unchanged(after=found.changed_by)
    deleted = rules.deleted(found.pick, meta)
    await store.save(db, deleted, meta.id, due_at=meta.at + rules.RESTORABLE)
    return deleted


@curation.on(RestorePick)
async def restore_pick(restore: RestorePick, meta: Meta, db: Db) -> PickRestored | Refusal | Unchanged:
    """Its author takes a deletion back."""
    found = rules.changeable(await store.get(db, restore.pick_id), restore, meta)
    if isinstance(found, Refusal):
        return found
    if found.pick.deleted_at is None:
        return Unchanged(after=found.changed_by)
    restored = rules.restored(found.pick)
    await store.save(db, restored, meta.id)
    return restored


@curation.on(Tick, cost=0.1)
async def bury_picks(tick: Tick, meta: Meta, db: Db) -> Sequence[PickGone]:
    """Picks that were not restored in time end as tombstones."""
    due = await store.take_due(db, tick.partition, meta.at)
    return [PickGone(pick_id=pick_id, version=version + 1) for pick_id, version in due]
