"""Putting an account away, and asking for its deletion; both can be taken back."""

from uuid import UUID

from schemas.message import Command
from schemas.topics import ACCOUNT_COMMANDS


class LeavingCommand(Command):
    """A wish to leave, or to be back."""

    subject = "accounts"
    key_fields = ("account_id",)
    done_when = ("read_accounts", "read_picks", "read_sessions")
    author_field = "account_id"

    account_id: UUID


class Deactivate(LeavingCommand, topic=ACCOUNT_COMMANDS):
    """Put the account away: every session ends, and nobody sees it until its owner signs in again."""


class Reactivate(LeavingCommand, topic=ACCOUNT_COMMANDS):
    """Have the account back without signing in again, with a token that is still good."""


class AskDeletion(LeavingCommand, topic=ACCOUNT_COMMANDS):
    """Have the account deleted after 14 days; every session ends. Signing in takes nothing back by itself."""


class CancelDeletion(LeavingCommand, topic=ACCOUNT_COMMANDS):
    """Keep the account after all."""
