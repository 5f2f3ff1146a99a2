"""Reactions to picks: give and take back. They are seen on the pick."""

from uuid import UUID

from gateway.routing.commands import Call, CommandRouter
from schemas.reactions import React, Unreact
from schemas.types import ReactionKind

writes = CommandRouter("Reactions")
PATH = "/v1/picks/{pick_id}/reactions/{kind}"


@writes.command("PUT", PATH, may="reaction.write")
def react(pick_id: UUID, kind: ReactionKind, caller: Call) -> React:
    """React to a pick, once per kind."""
    return React(pick_id=pick_id, account_id=caller.account_id, kind=kind)


@writes.command("DELETE", PATH, may="reaction.write")
def unreact(pick_id: UUID, kind: ReactionKind, caller: Call) -> Unreact:
    """Take your reaction back."""
    return Unreact(pick_id=pick_id, account_id=caller.account_id, kind=kind)
