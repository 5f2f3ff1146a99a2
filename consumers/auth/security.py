"""The security log: handlers add what they return to it, and a year later it is forgotten."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from consumers.auth.store import security
from infra.runtime import Db
from schemas.envelope import Meta
from schemas.security import SecurityForgotten, SecurityKind, SecurityNoted

KEPT: Final = timedelta(days=365)


async def noted(
    db: Db,
    meta: Meta,
    account_id: UUID,
    kind: SecurityKind,
    *,
    session_id: UUID | None = None,
    place: str = "",
    device: str = "",
) -> SecurityNoted:
    """An entry of the log, which the handler must return. One command notes a kind once per session.

    `place` is `access.coarse(address)`, `device` what the session is called.
    """
    event_id = uuid5(meta.id, f"security/{kind}/{session_id}")
    await security.add(db, account_id, event_id, meta.at + KEPT)
    return SecurityNoted(
        account_id=account_id,
        event_id=event_id,
        kind=kind,
        at=meta.at,
        session_id=session_id,
        place=place,
        device=device,
        version=1,
    )


async def forgotten(db: Db, partition: int, at: datetime) -> list[SecurityForgotten]:
    """The ends of entries that are old enough."""
    due = await security.take_due(db, partition, at)
    return [SecurityForgotten(account_id=account, event_id=event, version=2) for account, event in due]
