"""Credentials: what was done to one's own account."""

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from gateway.reads import security_log
from gateway.reads.represent import Representation
from gateway.routes.values import DEFAULT_LIMIT, Cursor, Limit
from gateway.routing.reads import Look, ReadRouter
from schemas.security import SecurityKind

reads: Final = ReadRouter("Identity")


class SecurityEntry(BaseModel):
    """Something that was done; `place` is a network, never a whole address."""

    id: UUID
    kind: SecurityKind
    at: datetime
    session: UUID | None
    place: str
    device: str


class SecurityLog(BaseModel):
    """A page of the security log; `next` is the cursor of the next page."""

    items: list[SecurityEntry]
    next: str | None


@reads.read("/v1/auth/security-log", reads=security_log.SHOWN, may="auth.own", shows=SecurityLog, cost=2)
async def show_security_log(
    look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Representation:
    """What was done to your sessions, credentials and roles in the last year, newest first."""
    assert look.viewer is not None
    return await security_log.page(look.services.database, look.viewer, limit, cursor)
