"""What goes over the wire, as pydantic models of the client's own: it shares no code with the server.

Answers ignore fields they do not know, so that an older client reads a newer server.
"""

from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ThingKind = Literal[
    "book", "film", "series", "album", "game", "podcast", "place", "article", "product", "page"
]
ReactionKind = Literal["like", "love", "laugh", "insightful", "thanks"]
CommandStatus = Literal["pending", "done", "refused", "failed", "delayed"]
Rating = Annotated[float, Field(ge=0.5, le=5, multiple_of=0.5)]
Tag = Annotated[str, Field(min_length=1, max_length=40)]
Tags = Annotated[list[Tag], Field(max_length=10)]
Note = Annotated[str, Field(max_length=2000)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class NewThing(_Request):
    """What is recommended; `ref` is a URL or `isbn:..`, `imdb:..`, `movielens:..`."""

    ref: str
    kind: ThingKind
    title: Annotated[str, Field(min_length=1, max_length=300)]


class NewPick(_Request):
    """A recommendation to publish. Fields that are not given are not sent."""

    thing: NewThing
    note: Note | None = None
    rating: Rating | None = None
    tags: Tags | None = None
    picked_at: AwareDatetime | None = None


class PickChanges(_Request):
    """What an edit changes: a field that is not given stays, a rating given as None is taken away."""

    note: Note | None = None
    rating: Rating | None = None
    tags: Tags | None = None
    picked_at: AwareDatetime | None = None


class Author(_Answer):
    """The account that published a pick; only `id` while nothing more is known of it."""

    id: UUID
    handle: str | None = None
    display_name: str | None = None


class PickedThing(_Answer):
    """The thing as a pick shows it; only `id` while the page of things is behind that of picks."""

    id: UUID
    ref: str | None = None
    kind: str | None = None
    title: str | None = None


class Pick(_Answer):
    """A published pick. `etag` is there when it was read alone, and is what an edit sends as If-Match.

    Only its author sees one with `deleted_at`.
    """

    id: UUID
    author: Author
    thing: PickedThing
    note: str | None = None
    rating: float | None = None
    tags: list[str] = []
    picked_at: AwareDatetime
    published_at: AwareDatetime
    edited_at: AwareDatetime | None = None
    deleted_at: AwareDatetime | None = None
    version: int
    reactions: dict[str, int] = {}
    etag: str | None = Field(default=None, exclude=True)


class Thing(_Answer):
    """A thing with what all picks of it say; the histogram's keys are "0.5", "1.0" ... "5.0"."""

    id: UUID
    ref: str
    kind: str
    title: str
    pick_count: int
    rating_count: int
    rating_mean: float | None
    rating_histogram: dict[str, int]
    etag: str | None = Field(default=None, exclude=True)


class Command(_Answer):
    """What became of a write. `pending` and `delayed` may still become done; the other three are final.

    A command that nobody knows, or somebody else's, is pending without a type.
    """

    id: UUID
    type: str | None = None
    status: CommandStatus
    reason: str | None = None
    resource: str | None = None
    decided_at: AwareDatetime | None = None


class Accepted(_Answer):
    """The body of a 202."""

    command_id: UUID
    resource: str | None
    status: str


class Written(_Answer):
    """The answer to a write.

    `pick` is there when the server was asked to wait, the write was done in time, and it can be shown.
    `location` is where the command's fate can be read. `attempts` above 1 means that it was sent
    again, under the same Idempotency-Key, after no answer or one that asked to come again.
    """

    command_id: UUID
    location: str
    resource: str | None
    status: Literal["pending", "done"]
    pick: Pick | None = None
    attempts: int


ItemT = TypeVar("ItemT", bound=BaseModel)


class Page(_Answer, Generic[ItemT]):
    """One page of a list; `next` is the cursor of the following one, None on the last."""

    items: list[ItemT]
    next: str | None = None


class Things(_Answer):
    """The answer to a search by ref: no thing or one."""

    items: list[Thing]
