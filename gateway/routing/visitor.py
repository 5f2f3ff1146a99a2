"""Who asks on a route with secrets, and how its function learns of it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Security

from gateway.problems import ProblemError
from gateway.routing.declared import bearer
from gateway.routing.incoming import Incoming
from infra.tokens import Claims


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, signed in or not; the id that the command will have, and the caller's network address."""

    claims: Claims | None
    command_id: UUID
    address: str
    request: Incoming

    @property
    def account_id(self) -> UUID:
        """The account that asks; only for routes that nobody anonymous may call."""
        assert self.claims is not None
        return self.claims.account

    @property
    def session_id(self) -> UUID:
        """The session that asks, as its token names it. Raises ProblemError for one of no session of ours."""
        assert self.claims is not None
        try:
            return UUID(self.claims.session)
        except ValueError:
            raise ProblemError("session-ended", "The token belongs to no session; sign in.") from None


Visit = Annotated[Visitor, Security(bearer)]
"""The parameter through which a function learns who asks."""
