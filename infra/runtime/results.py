"""What goes into a handler and what comes out of it, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from schemas.envelope import Meta
from schemas.message import Message, Tick

M = TypeVar("M", bound=Message | Tick)


class Item(NamedTuple, Generic[M]):
    """One message of a batch, with its envelope."""

    message: M
    meta: Meta


Batch: TypeAlias = Sequence[Item[M]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer "no". `after` is an earlier command that must be visible before this answer makes sense."""

    reason: str
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """It is already so; nothing happens. `after` as in Refusal."""

    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to do outside after the commit, by the group's effect handler for `kind`."""

    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender alone can read; it lies in the decision, and not for long."""

    sealed: bytes


Outcome: TypeAlias = Refusal | Unchanged | Message | Effect | Reply | Sequence[Message | Effect | Reply]
"""What a handler returns for one message; an empty list is the same as Unchanged()."""
