"""The documents that the API shows, as OpenAPI describes them.

Reads put ready JSON together; tests compare it with these.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.standing import Status
from schemas.accounts import Standing
from schemas.types import ReactionKind, ThingKind

COMMAND_ID: Final = "019ac8a2-5c3e-7d10-9b5e-0e6f1d2c3b4a"
ACCOUNT_ID: Final = "0f1777ec-1cc9-5865-8894-7f5d2e9aff46"
THING_ID: Final = "2b7f0d4e-8d3c-5a61-9e0f-6a1c5b4d3e2f"
PICK_ID: Final = "c1f1a2d3-4b5c-5d6e-8f70-8192a3b4c5d6"
CURSOR: Final = "YQAGRB0x9pQAwfGi00tcXW6PcIGSo7TF1g"

THING: Final = {
    "id": THING_ID,
    "ref": "isbn:9780061054884",
    "kind": "book",
    "title": "The Dispossessed",
}
PICK: Final = {
    "id": PICK_ID,
    "author": {"id": ACCOUNT_ID, "handle": "ana", "display_name": "Ana"},
    "thing": THING,
    "note": "Two worlds, and a wall between them.",
    "rating": 4.5,
    "tags": ["science fiction"],
    "picked_at": "2026-11-01T18:30:00Z",
    "published_at": "2026-11-24T07:00:00Z",
    "edited_at": "2026-11-24T08:15:00Z",
    "version": 2,
    "reactions": {"like": 3, "insightful": 1},
}
ACCOUNT: Final = {
    "id": ACCOUNT_ID,
    "handle": "ana",
    "display_name": "Ana",
    "bio": "Reads on trains.",
    "links": ["https://ana.example/books"],
    "opened_at": "2026-05-01T07:00:00Z",
    "language": "pt-BR",
    "time_zone": "Europe/Lisbon",
    "roles": ["member"],
    "standing": "active",
    "handle_changed_at": None,
    "version": 4,
}
STAFF_ACCOUNT: Final = {
    **ACCOUNT,
    "roles": ["member", "moderator"],
    "second_factor_for": ["moderator"],
}
COUNTED: Final = {
    **THING,
    "pick_count": 3,
    "rating_count": 2,
    "rating_mean": 4.25,
    "rating_histogram": {str(half / 2): 1 if half in (8, 9) else 0 for half in range(1, 11)},
}


STATUS: Final = {
    "id": COMMAND_ID,
    "type": "PublishPick",
    "status": "refused",
    "reason": "already_picked",
    "resource": f"/v1/picks/{PICK_ID}",
    "decided_at": "2026-11-24T07:00:00.123456Z",
}


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]}, extra="forbid")


class Accepted(BaseModel):
    """The broker has the command."""

    model_config = _example(
        {"command_id": COMMAND_ID, "resource": f"/v1/picks/{PICK_ID}", "status": "pending"}
    )

    command_id: UUID
    resource: str | None
    status: Literal["pending"]


class CommandStatus(BaseModel):
    """What has become of a command.

    `pending` also for one that nobody knows, or that is not yours. `delayed` is stuck and looked after.
    """

    model_config = _example(STATUS)

    id: UUID
    type: str | None = Field(description="The command's type; null while it is not decided.")
    status: Status
    reason: str | None = Field(None, description="Why it was refused or failed.")
    resource: str | None = Field(None, description="The page of what it was about.")
    decided_at: datetime | None = None


class Author(BaseModel):
    """Whose pick it is; only the id while nothing more is known, or the account is deactivated."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    handle: str | None = None
    display_name: str | None = None


class ThingShown(BaseModel):
    """A thing; only its id while nothing more is known."""

    model_config = _example(THING)

    id: UUID
    ref: str | None = None
    kind: ThingKind | None = None
    title: str | None = None


class Pick(BaseModel):
    """One person's recommendation of a thing."""

    model_config = _example(PICK)

    id: UUID
    author: Author
    thing: ThingShown
    note: str
    rating: float | None
    tags: list[str]
    picked_at: datetime
    published_at: datetime
    edited_at: datetime | None
    version: int
    reactions: dict[ReactionKind, Annotated[int, Field(ge=1)]]
    deleted_at: datetime | None = Field(
        None, description="Only on a deleted pick, which only its author sees."
    )


class Picks(BaseModel):
    """A page of picks; `next` is the cursor of the next page."""

    model_config = _example({"items": [PICK], "next": CURSOR})

    items: list[Pick]
    next: str | None


class Thing(BaseModel):
    """A thing, and how it was picked; the histogram has all ten ratings from "0.5" to "5.0"."""

    model_config = _example(COUNTED)

    id: UUID
    ref: str
    kind: ThingKind
    title: str
    pick_count: int
    rating_count: int
    rating_mean: float | None
    rating_histogram: dict[str, int]


class Things(BaseModel):
    """The thing behind a reference, or none."""

    model_config = _example({"items": [COUNTED]})

    items: list[Thing]


class Account(BaseModel):
    """An account. From `language` on only its owner sees what there is."""

    model_config = _example(ACCOUNT)

    id: UUID
    handle: str
    display_name: str
    bio: str
    links: list[str]
    opened_at: datetime
    language: str | None = None
    time_zone: str | None = None
    roles: list[str] | None = None
    standing: Standing | None = None
    handle_changed_at: datetime | None = None
    deletion_due_at: datetime | None = None
    version: int | None = None


class StaffAccount(Account):
    """An account as staff see it."""

    model_config = _example(STAFF_ACCOUNT)

    second_factor_for: list[str] = Field(
        description="Its roles that count only when it has signed in with a second factor."
    )
