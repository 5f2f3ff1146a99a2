"""What can be asked of a pick, and what can happen to one."""

from uuid import UUID

from schemas.message import Command, State, Tombstone
from schemas.things import NewThing
from schemas.topics import PICK_COMMANDS, PICK_EVENTS
from schemas.types import Note, Rating, Tags, When


class PickCommand(Command):
    """A wish of a pick's author."""

    subject = "picks"
    key_fields = ("pick_id",)
    done_when = ("read_picks", "read_things")
    author_field = "author_id"

    pick_id: UUID
    author_id: UUID


class PublishPick(PickCommand, topic=PICK_COMMANDS):
    """Recommend a thing. `picked_at` is when the person came to know it; now when not given."""

    thing_id: UUID
    thing: NewThing
    note: Note = ""
    rating: Rating | None = None
    tags: Tags = ()
    picked_at: When | None = None


class EditPick(PickCommand, topic=PICK_COMMANDS):
    """Change a pick. Only the fields that are set change; a set None clears the rating."""

    note: Note | None = None
    rating: Rating | None = None
    tags: Tags | None = None
    picked_at: When | None = None

    def body(self) -> bytes:
        """Unset fields stay out, so that `null` can mean: clear it."""
        return self.model_dump_json(exclude_unset=True).encode()


class DeletePick(PickCommand, topic=PICK_COMMANDS):
    """Hide a pick from everybody but its author; it can be restored for 30 days."""


class RestorePick(PickCommand, topic=PICK_COMMANDS):
    """Take a deletion back."""


class PickState(State):
    """The whole pick after a fact. A pick with `deleted_at` is hidden from all but its author."""

    subject = "picks"
    key_fields = ("pick_id",)

    pick_id: UUID
    author_id: UUID
    thing_id: UUID
    note: Note = ""
    rating: Rating | None = None
    tags: Tags = ()
    picked_at: When
    published_at: When
    edited_at: When | None = None
    deleted_at: When | None = None


class PickPublished(PickState, topic=PICK_EVENTS):
    """A recommendation is out; feeds, search and scoring may use it."""


class PickEdited(PickState, topic=PICK_EVENTS):
    """Its author changed it."""


class PickDeleted(PickState, topic=PICK_EVENTS):
    """Its author took it down; it can still come back."""


class PickRestored(PickState, topic=PICK_EVENTS):
    """Its author brought it back."""


class PickGone(Tombstone, topic=PICK_EVENTS):
    """The pick and everything about it is gone for good."""

    subject = "picks"
    key_fields = ("pick_id",)

    pick_id: UUID
