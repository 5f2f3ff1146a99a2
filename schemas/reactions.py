"""Reactions of accounts to picks. One edge per pick, account and kind."""

from uuid import UUID

from schemas.message import Command, State, Tombstone
from schemas.topics import REACTION_COMMANDS, REACTION_EVENTS
from schemas.types import ReactionKind, When


class ReactionCommand(Command):
    """A wish about one edge."""

    subject = "reactions"
    key_fields = ("pick_id", "account_id", "kind")
    done_when = ("read_picks",)
    author_field = "account_id"

    pick_id: UUID
    account_id: UUID
    kind: ReactionKind


class React(ReactionCommand, topic=REACTION_COMMANDS):
    """React to a pick; once per kind."""


class Unreact(ReactionCommand, topic=REACTION_COMMANDS):
    """Take a reaction back."""


class Reacted(State, topic=REACTION_EVENTS):
    """Somebody reacts to a pick."""

    subject = "reactions"
    key_fields = ("pick_id", "account_id", "kind")

    pick_id: UUID
    account_id: UUID
    kind: ReactionKind
    reacted_at: When


class ReactionGone(Tombstone, topic=REACTION_EVENTS):
    """The reaction was taken back, or its pick is gone."""

    subject = "reactions"
    key_fields = ("pick_id", "account_id", "kind")

    pick_id: UUID
    account_id: UUID
    kind: ReactionKind
