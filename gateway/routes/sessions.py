"""Sessions: show, name and end them; and the public keys of what they are proven with."""

from typing import Annotated, Final, Literal
from uuid import UUID

import orjson
from fastapi import Path
from pydantic import ConfigDict

from gateway.problems import ProblemError
from gateway.reads import sessions as read
from gateway.reads.represent import Representation, published
from gateway.routes.picks import Strict
from gateway.routes.values import DEFAULT_LIMIT, Cursor, Limit
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.reads import Look, ReadRouter
from gateway.session_shapes import Jwks, Session, Sessions
from schemas.sessions import Device, EndOtherSessions, EndSession, NameSession

writes: Final = CommandRouter("Sessions")
reads: Final = ReadRouter("Sessions")
KEYS_KEPT: Final = 30
"""Seconds; a new key is published a minute before it signs."""

Which = Annotated[
    UUID | Literal["current"], Path(description="A session's id, or `current` for the one that asks.")
]


class SessionName(Strict):
    """What the session shall be called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"device": "old phone"}]})

    device: Device


def _id(session: UUID | Literal["current"], current: str | None) -> UUID:
    return session if isinstance(session, UUID) else UUID(current)


@reads.read("/v1/auth/sessions", reads=read.SHOWN, may="session.list", shows=Sessions)
async def list_sessions(look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Representation:
    """Your sessions that have not ended, newest seen first."""
    return await read.page(look.services.database, look.account_id, look.session, limit, cursor)


@reads.read(
    "/v1/auth/sessions/{session}",
    reads=read.SHOWN,
    may="session.read",
    shows=Session,
    refusals=("not-found",),
)
async def show_session(session: Which, look: Look) -> Representation:
    """One of your sessions."""
    wanted = _id(session, look.session)
    shown = await read.one(look.services.database, wanted, look.account_id, look.session)
    if shown is None:
        raise ProblemError("not-found", "You have no such session, or it has ended.")
    return shown


@writes.command(
    "PATCH", "/v1/auth/sessions/{session}", may="session.change", shows="Session", refusals=("not-found",)
)
def name_session(session: Which, name: SessionName, caller: Call) -> NameSession:
    """Call one of your sessions something else."""
    return NameSession(
        account_id=caller.account_id, session_id=_id(session, caller.session), device=name.device
    )


@writes.command(
    "DELETE",
    "/v1/auth/sessions/current",
    may="session.end",
    shows="Session",
    refusals=("not-found",),
    signs_out=True,
)
def sign_out(caller: Call) -> EndSession:
    """End the session that asks: its tokens are worth nothing any more, and a browser forgets its cookie."""
    return EndSession(account_id=caller.account_id, session_id=UUID(caller.session), reason="signed_out")


@writes.command(
    "DELETE", "/v1/auth/sessions/{session}", may="session.change", shows="Session", refusals=("not-found",)
)
def end_session(session: UUID, caller: Call) -> EndSession:
    """End one of your sessions. Every gateway refuses its tokens within two seconds."""
    return EndSession(account_id=caller.account_id, session_id=session)


@writes.command("DELETE", "/v1/auth/sessions", may="session.end", shows="Session", refusals=("not-found",))
def end_other_sessions(caller: Call) -> EndOtherSessions:
    """End all your sessions but the one that asks."""
    return EndOtherSessions(account_id=caller.account_id, session_id=UUID(caller.session))


@reads.read("/.well-known/jwks.json", reads=(), may="public.read", shows=Jwks)
async def show_keys(look: Look) -> Representation:
    """The public keys that access tokens are verified with, as a JWK set (RFC 7517)."""
    return published(orjson.dumps(look.services.keys.jwks), KEYS_KEPT)
