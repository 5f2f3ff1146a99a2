"""One's own account: what it says, and what it is called."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, ConfigDict, with_config
from typing_extensions import TypedDict

from gateway.problems import ProblemError
from gateway.reads import accounts
from gateway.reads.represent import Representation
from gateway.routes.picks import Strict
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import Account
from schemas.identity_types import Handle
from schemas.profile import (
    Bio,
    ChangeHandle,
    ChangeProfile,
    DisplayName,
    Language,
    Links,
    TimeZone,
)

writes = CommandRouter("My account")
reads = ReadRouter("My account")


def known_zone(name: str) -> str:
    """A time zone of the IANA database on this machine. Raises ValueError."""
    if name not in ZONES:
        raise ValueError("must be a time zone of the IANA database, as in Europe/Lisbon")
    return name


ZONES = available_timezones() - {"localtime", "posixrules", "Factory"}


@with_config(
    ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "minProperties": 1,
            "examples": [{"display_name": "Ana", "language": "pt-BR", "time_zone": "Europe/Lisbon"}],
        },
    )
)
class ProfileChanges(TypedDict, total=False):
    """What to change; fields that are left out stay."""

    display_name: DisplayName
    bio: Bio
    links: Links
    language: Language
    time_zone: Annotated[TimeZone, AfterValidator(known_zone)]


def something(changes: ProfileChanges) -> ProfileChanges:
    """Refuse a change of nothing."""
    if not changes:
        raise ValueError("change at least one of display_name, bio, links, language and time_zone")
    return changes


class NewHandle(Strict):
    """The handle to have."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"handle": "ana.reads"}]})

    handle: Handle


@reads.read("/v1/me", reads=accounts.SHOWN, may="profile.read", shows=Account, refusals=("not-found",))
async def show_me(look: Look) -> Representation:
    """Your own account."""
    found = look.viewer and await accounts.one(look.services.database, look.viewer, look.viewer)
    if not found:
        raise ProblemError("not-found", "You have no account here: register, or wait until it is visible.")
    return found


@writes.command(
    "PATCH",
    "/v1/me",
    may="profile.change",
    if_match="needed",
    shows="Account",
    refusals=("not-found", "suspended", "deactivated"),
)
def change_profile(
    changes: Annotated[ProfileChanges, AfterValidator(something)], caller: Call
) -> ChangeProfile:
    """Change what your account says about you."""
    return ChangeProfile(account_id=caller.account_id, **changes)


@writes.command(
    "PUT",
    "/v1/me/handle",
    may="profile.change",
    cost=5,
    if_match="taken",
    shows="Account",
    refusals=(
        *("not-found", "suspended", "deactivated"),
        *("handle-changed-recently", "handle-taken", "handle-reserved"),
    ),
)
def change_handle(new: NewHandle, caller: Call) -> ChangeHandle:
    """Take another handle, once in 30 days. The old one leads to you for a year; nobody else gets it."""
    return ChangeHandle(account_id=caller.account_id, handle=new.handle)
