"""Who may do what: a route names one of these, a role has some of them (schemas/roles.py).

The authorisation matrix is made from both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.problems import ProblemError
from infra.tokens import Claims
from schemas.roles import MEMBER, giving

TWO_FACTORS: Final = 2


@dataclass(frozen=True, slots=True)
class Permission:
    """`anonymous`: without a token too. `foreign`: what somebody else's subject answers, as a status.

    None where the route shows or makes things of the caller, or of everybody, so that nothing is foreign.
    """

    anonymous: bool = False
    foreign: int | None = None


PERMISSIONS: Final[Mapping[str, Permission]] = {
    "public.read": Permission(anonymous=True),
    "pick.read": Permission(anonymous=True, foreign=200),
    "pick.publish": Permission(),
    "pick.change": Permission(foreign=404),
    "reaction.write": Permission(),
    "account.read": Permission(anonymous=True, foreign=200),
    "profile.read": Permission(),
    "profile.change": Permission(),
    "session.list": Permission(),
    "session.read": Permission(foreign=404),
    "session.change": Permission(foreign=404),
    "session.end": Permission(),
    "account.inspect": Permission(),
    "role.grant": Permission(),
    "auth.public": Permission(anonymous=True),
    "auth.own": Permission(),
    "factor.change": Permission(foreign=404),
    "command.read": Permission(foreign=200),
}
"""A foreign command answers 200 and pending, like an unknown one."""


def permission(name: str) -> Permission:
    """Raises TypeError for a name that is not declared here, when the route is made."""
    if name not in PERMISSIONS:
        raise TypeError(f"{name} is not a permission: declare it in gateway/permissions.py")
    return PERMISSIONS[name]


def demand(may: str, claims: Claims) -> None:
    """Raises ProblemError (403) unless a role of the caller has the permission, or everybody does.

    A token without roles is a member's: those of `./pickly token`. Identity leaves nobody without one.
    """
    if permission(may).anonymous:
        return
    roles = giving(claims.roles or {MEMBER}, may)
    if not roles:
        raise ProblemError("forbidden", f"None of your roles has the permission {may}.")
    if claims.assurance < TWO_FACTORS and all(role.second_factor for role in roles):
        raise ProblemError(
            "second-factor-needed", "Sign in with a second factor: your role counts only with one."
        )
