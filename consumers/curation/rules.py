"""Decisions about picks that need no database."""

from datetime import timedelta
from typing import Final

from consumers.curation.store import Held
from infra.runtime import Refusal
from schemas.envelope import Meta
from schemas.picks import (
    EditPick,
    PickCommand,
    PickDeleted,
    PickEdited,
    PickPublished,
    PickRestored,
    PickState,
    PublishPick,
)
from schemas.things import ThingAdded

RESTORABLE: Final = timedelta(days=30)


def published(pick: PublishPick, meta: Meta) -> PickPublished:
    """The first state of a pick that had no earlier life."""
    return PickPublished(
        pick_id=pick.pick_id,
        author_id=pick.author_id,
        thing_id=pick.thing_id,
        note=pick.note,
        rating=pick.rating,
        tags=pick.tags,
        picked_at=pick.picked_at or meta.at,
        published_at=meta.at,
        version=1,
    )


def at_version(pick: PickPublished, version: int) -> PickPublished:
    """The pick at `version`: a new life goes on from the last version of the one before."""
    return pick if version == pick.version else pick.model_copy(update={"version": version})


def added(pick: PublishPick) -> ThingAdded:
    """The thing, as its first picker names it."""
    thing = pick.thing
    return ThingAdded(thing_id=pick.thing_id, ref=thing.ref, kind=thing.kind, title=thing.title, version=1)


def changeable(found: Held | None, command: PickCommand, meta: Meta) -> Held | Refusal:
    """Only its author may change a pick, and only the version that he saw."""
    if found is None:
        return Refusal("not_found")
    if found.pick.author_id != command.author_id:
        return Refusal("not_yours")
    if meta.expected_version not in (None, found.pick.version):
        return Refusal("stale", after=found.changed_by)
    return found


def edited(pick: PickState, edit: EditPick, meta: Meta) -> PickEdited | None:
    """The pick with what is set changed, or None when nothing is different."""
    fields = {name: getattr(edit, name) for name in edit.model_fields_set & EDITABLE}
    fields = {name: value for name, value in fields.items() if value is not None or name == "rating"}
    if all(getattr(pick, name) == value for name, value in fields.items()):
        return None
    return PickEdited.model_validate(_next(pick) | fields | {"edited_at": meta.at})


def deleted(pick: PickState, meta: Meta) -> PickDeleted:
    """The pick, hidden from now on."""
    return PickDeleted.model_validate(_next(pick) | {"deleted_at": meta.at})


def restored(pick: PickState) -> PickRestored:
    """The pick, visible again."""
    return PickRestored.model_validate(_next(pick) | {"deleted_at": None})


EDITABLE: Final = frozenset({"note", "rating", "tags", "picked_at"})


def _next(pick: PickState) -> dict[str, object]:
    return pick.model_dump() | {"version": pick.version + 1}
