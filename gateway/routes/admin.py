"""Staff: look at an account, give and take roles."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from gateway.problems import ProblemError
from gateway.reads import accounts
from gateway.reads.represent import Representation
from gateway.routes.values import AccountName
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import StaffAccount
from schemas.roles import Grant, GrantRole, RevokeRole

writes = CommandRouter("Staff")
reads = ReadRouter("Staff")
ROLE = "/v1/admin/accounts/{account_id}/roles/{role}"
REFUSALS = ("not-found", "rank-too-low")
Role = Annotated[
    Grant,
    Path(description="`moderator`, or within a scope `moderator:queue:spam`, `member:collection:<id>`."),
]


@reads.read(
    "/v1/admin/accounts/{account}",
    reads=accounts.SHOWN,
    may="account.inspect",
    shows=StaffAccount,
    refusals=("not-found",),
)
async def inspect_account(account: AccountName, look: Look) -> Representation:
    """An account with its roles and its standing. A handle that it had before will do."""
    shown = accounts.inspected(await accounts.find(look.services.database, account))
    if shown is None:
        raise ProblemError("not-found", "There is no such account.")
    return shown


@writes.command(
    "PUT", ROLE, may="role.grant", cost=5, shows="StaffAccount", refusals=REFUSALS, dangerous=True
)
def grant_role(account_id: UUID, role: Role, _caller: Call) -> GrantRole:
    """Give somebody below you a role of at most your rank.

    A role in `second_factor_for` of the answer counts only when its holder signs in with a second factor.
    """
    return GrantRole(account_id=account_id, role=role)


@writes.command(
    "DELETE", ROLE, may="role.grant", cost=5, shows="StaffAccount", refusals=REFUSALS, dangerous=True
)
def revoke_role(account_id: UUID, role: Role, _caller: Call) -> RevokeRole:
    """Take a role from somebody below you; who has none left is a reader."""
    return RevokeRole(account_id=account_id, role=role)
