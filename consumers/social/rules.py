"""Decisions about reactions that need no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from infra.runtime import Refusal, Unchanged
from schemas.envelope import Meta
from schemas.reactions import React, Reacted, ReactionGone, Unreact

SWEPT_AFTER: Final = timedelta(days=1)
"""How long a reaction waits for a pick that nobody has heard of."""
ENDS_KEPT: Final = timedelta(days=1)
"""How long it is known which command took a reaction back."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a batch's edges and picks.

    `edges`: by key, version and the command that made it so. `last`: by key, the version at which an earlier
    life of the edge ended. `closed`: picks that take no reactions.
    """

    edges: dict[str, tuple[int, UUID]]
    last: dict[str, int]
    closed: frozenset[UUID]


def reacted(known: Known, react: React, meta: Meta) -> Reacted | Refusal | Unchanged:
    """React, unless the pick is closed or the reaction is there."""
    if react.key in known.edges:
        return Unchanged(after=known.edges[react.key][1])
    if react.pick_id in known.closed:
        return Refusal("pick_closed")
    return Reacted(
        pick_id=react.pick_id,
        account_id=react.account_id,
        kind=react.kind,
        reacted_at=meta.at,
        version=known.last.get(react.key, 0) + 1,
    )


def unreacted(known: Known, ended: Mapping[str, UUID], unreact: Unreact) -> ReactionGone | Unchanged:
    """Take the reaction back, if there is one; `ended` tells which command took it back lately."""
    if unreact.key not in known.edges:
        return Unchanged(after=ended.get(unreact.key))
    version, _ = known.edges[unreact.key]
    return ReactionGone(
        pick_id=unreact.pick_id, account_id=unreact.account_id, kind=unreact.kind, version=version + 1
    )
