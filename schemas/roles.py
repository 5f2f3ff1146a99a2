"""Roles: what each may do, and who may give it to whom. Data, for identity and for the gateway."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, StringConstraints

from schemas.accounts import AccountState
from schemas.message import Command
from schemas.topics import ACCOUNT_COMMANDS, ACCOUNT_EVENTS


@dataclass(frozen=True, slots=True)
class Role:
    """`rank` orders people: nobody touches an equal or a higher one. `permissions` are what routes name.

    `second_factor` says that it counts only for who has signed in with two factors.
    """

    rank: int
    permissions: frozenset[str]
    second_factor: bool = False


SESSIONS: Final = frozenset({"session.list", "session.read", "session.change", "session.end"})
READING: Final = SESSIONS | {"auth.own", "account.leave", "command.read", "profile.read", "profile.change"}
"""What everybody has beside what needs no token."""
MEMBER: Final = "member"
READER: Final = "reader"
ROLES: Final[Mapping[str, Role]] = {
    READER: Role(0, READING),
    MEMBER: Role(10, READING | {"pick.publish", "pick.change", "reaction.write"}),
    "analyst": Role(30, READING, second_factor=True),
    "moderator": Role(40, READING | {"account.inspect"}, second_factor=True),
    "admin": Role(80, READING | {"account.inspect", "role.grant"}, second_factor=True),
    "owner": Role(100, READING | {"account.inspect", "role.grant"}, second_factor=True),
}
"""Roles add up: staff are members too, until somebody takes that role from them."""
GRANT: Final = r"^[a-z]{3,20}(?::(?:queue|collection):[a-z0-9][a-z0-9-]{0,63})?$"


def of_a_role(grant: str) -> str:
    """Refuse grants of a role that there is not. Raises ValueError."""
    if grant.partition(":")[0] not in ROLES:
        raise ValueError(f"must be one of {', '.join(ROLES)}")
    return grant


Grant = Annotated[str, StringConstraints(pattern=GRANT), AfterValidator(of_a_role)]
"""A role, `moderator`, or a role within a scope, `moderator:queue:spam`, which counts nowhere else."""


def role_of(grant: str) -> Role | None:
    """The role of a grant, whatever its scope; None when this release has no such role any more."""
    return ROLES.get(grant.partition(":")[0])


def rank_of(grants: Iterable[str]) -> int:
    """The highest rank among grants. One within a scope ranks as high as one without."""
    return max((role.rank for role in map(role_of, grants) if role is not None), default=-1)


def giving(grants: Iterable[str], permission: str) -> list[Role]:
    """The roles among grants without a scope that have a permission."""
    roles = (ROLES.get(grant) for grant in grants)
    return [role for role in roles if role is not None and permission in role.permissions]


class RoleCommand(Command):
    """A wish of staff about somebody's role. The actor is None for the system, which outranks everybody."""

    subject = "roles"
    key_fields = ("account_id",)
    done_when = ("read_accounts",)

    account_id: UUID
    role: Grant


class GrantRole(RoleCommand, topic=ACCOUNT_COMMANDS):
    """Give an account a role, everywhere or within a scope."""


class RevokeRole(RoleCommand, topic=ACCOUNT_COMMANDS):
    """Take a role from an account."""


class RolesChanged(AccountState, topic=ACCOUNT_EVENTS):
    """It has other roles; access tokens from before are worth nothing any more."""
