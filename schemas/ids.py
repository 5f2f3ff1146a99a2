"""Ids named by what they are (RFC 9562 section 5.5, UUIDv5): no lookup, no check across partitions."""

from typing import Final
from uuid import UUID, uuid5

PICKLY: Final = UUID("5f0b8c1e-6d2a-5b7e-9a43-2f6c1d0e7b95")
ACCOUNTS: Final = uuid5(PICKLY, "accounts")
THINGS: Final = uuid5(PICKLY, "things/1")
"""Carries the version of the normaliser in `schemas.refs`."""


def account_id(handle: str) -> UUID:
    """The account behind a handle; handles ignore case."""
    return uuid5(ACCOUNTS, handle.lower())


def thing_id(canonical_ref: str) -> UUID:
    """The thing behind a reference that `schemas.refs.canonical` has made canonical."""
    return uuid5(THINGS, canonical_ref)


def pick_id(author_id: UUID, thing_id: UUID) -> UUID:
    """One pick per person and thing."""
    return uuid5(author_id, str(thing_id))


def made_by(command_id: UUID, kind: str) -> UUID:
    """The id of a subject without a natural one, of a kind like `sessions`: it follows from its command."""
    return uuid5(command_id, kind)
