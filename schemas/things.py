"""Things that people pick."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.message import State
from schemas.topics import THING_EVENTS
from schemas.types import Ref, ThingKind, Title


class NewThing(BaseModel):
    """A thing as its first picker names it; `ref` is canonical."""

    model_config = ConfigDict(frozen=True)

    ref: Ref
    kind: ThingKind
    title: Title


class ThingAdded(State, topic=THING_EVENTS):
    """Somebody picked a thing that nobody had picked before; its first title wins."""

    subject = "things"
    key_fields = ("thing_id",)

    thing_id: UUID
    ref: Ref
    kind: ThingKind
    title: Title
