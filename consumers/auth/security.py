"""The security log: handlers add what they return to it, and a year later it is forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

from consumers.auth.store import proofs, security
from consumers.auth.store.proofs import Proof
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


async def due(db: Db, partition: int, meta: Meta) -> list[SecurityNoted | SecurityForgotten]:
    """What the log gets late, and the ends of what is old enough.

    Whether a name is somebody's must not show when a password reset is asked for, so that is noted here.
    """
    asked = [await _asked(db, meta, proof) for proof in await proofs.to_note(db, partition)]
    old = await security.take_due(db, partition, meta.at)
    return [*asked, *(SecurityForgotten(account_id=id, event_id=event, version=2) for id, event in old)]


async def _asked(db: Db, meta: Meta, proof: Proof) -> SecurityNoted:
    asked = replace(meta, at=proof.asked_at)
    return await noted(db, asked, proof.account_id, "password_reset_asked", place=proof.place)
