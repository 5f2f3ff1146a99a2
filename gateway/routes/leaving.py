"""Leaving: put one's account away, have it deleted, and take either back."""

from datetime import datetime
from typing import Final

import orjson
from pydantic import BaseModel

from gateway.problems import ProblemError
from gateway.reads import accounts
from gateway.reads.represent import Representation, subject
from gateway.routes.factor_shapes import shown_as
from gateway.routing.commands import Call, CommandRouter
from gateway.routing.reads import Look, ReadRouter
from schemas.leaving import AskDeletion, CancelDeletion, Deactivate, Reactivate

writes: Final = CommandRouter("My account")
reads: Final = ReadRouter("My account")


class Deletion(BaseModel):
    """When the account will be deleted; null when nobody asked for that."""

    model_config = shown_as({"due_at": "2026-12-08T07:00:00Z"})

    due_at: datetime | None


@writes.command(
    "PUT",
    "/v1/me/deactivation",
    may="auth.own",
    cost=5,
    shows="Account",
    dangerous=True,
    refusals=("not-found", "suspended"),
)
def deactivate(caller: Call) -> Deactivate:
    """Put your account away: every session ends, nobody sees it. Sign in, and it is back."""
    return Deactivate(account_id=caller.account_id)


@writes.command(
    "DELETE", "/v1/me/deactivation", may="auth.own", cost=5, shows="Account", refusals=("not-found",)
)
def reactivate(caller: Call) -> Reactivate:
    """Have your account back with a token that is still good. Signing in does the same."""
    return Reactivate(account_id=caller.account_id)


@reads.read(
    "/v1/me/deletion",
    reads=accounts.SHOWN,
    may="auth.own",
    shows=Deletion,
    refusals=("not-found",),
)
async def show_deletion(look: Look) -> Representation:
    """When your account will be deleted."""
    row = await accounts.find(look.services.database, look.account_id)
    if row is None:
        raise ProblemError("not-found", "You have no account here: register, or wait until it is visible.")
    due = orjson.loads(row["own"])["deletion_due_at"]
    return subject(orjson.dumps({"due_at": due}), row["version"])


@writes.command(
    "PUT",
    "/v1/me/deletion",
    may="auth.own",
    cost=5,
    shows="Account",
    dangerous=True,
    refusals=("not-found",),
)
def ask_deletion(caller: Call) -> AskDeletion:
    """Have your account deleted in 14 days. Every session ends; until then you can sign in and cancel."""
    return AskDeletion(account_id=caller.account_id)


@writes.command(
    "DELETE",
    "/v1/me/deletion",
    may="auth.own",
    cost=5,
    shows="Account",
    refusals=("not-found", "deletion-due"),
)
def cancel_deletion(caller: Call) -> CancelDeletion:
    """Keep your account after all."""
    return CancelDeletion(account_id=caller.account_id)
