"""Accounts: what everybody may know of one, and what others rely on. No credential, no e-mail address."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.message import State, Tombstone
from schemas.topics import ACCOUNT_EVENTS
from schemas.types import When

Standing = Literal["active", "deactivated", "suspended"]


class FormerHandle(BaseModel):
    """A handle that an account had: it leads there until it is free again."""

    model_config = ConfigDict(frozen=True)

    handle: str
    until: When


class AccountState(State):
    """The whole account after a fact.

    `roles_changed_at` is when access tokens that were issued before became worthless, `deletion_due_at` when
    its owner wants it erased.
    """

    subject = "accounts"
    key_fields = ("account_id",)

    account_id: UUID
    handle: str
    display_name: str = ""
    bio: str = ""
    links: tuple[str, ...] = ()
    language: str = "en"
    time_zone: str = "UTC"
    roles: tuple[str, ...] = ("member",)
    standing: Standing = "active"
    opened_at: When
    handle_changed_at: When | None = None
    former_handles: tuple[FormerHandle, ...] = ()
    roles_changed_at: When | None = None
    deletion_due_at: When | None = None


class AccountOpened(AccountState, topic=ACCOUNT_EVENTS):
    """Somebody has proven an e-mail address: the account begins."""


class AccountDeactivated(AccountState, topic=ACCOUNT_EVENTS):
    """Its owner has put it away."""


class AccountReactivated(AccountState, topic=ACCOUNT_EVENTS):
    """Its owner has it back."""


class AccountDeletionAsked(AccountState, topic=ACCOUNT_EVENTS):
    """Its owner wants it deleted; it is to be erased at `deletion_due_at`."""


class AccountDeletionCancelled(AccountState, topic=ACCOUNT_EVENTS):
    """Its owner keeps it after all."""


class AccountGone(Tombstone, topic=ACCOUNT_EVENTS):
    """The account is gone for good."""

    subject = "accounts"
    key_fields = ("account_id",)

    account_id: UUID
