"""A registered function, and the types it takes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from schemas.message import Message, Tick

if TYPE_CHECKING:
    Db: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Db = asyncpg.Connection

MessageType: TypeAlias = type[Message] | type[Tick]
Function: TypeAlias = Callable[..., Awaitable[Any]]

DEFAULT_COST: Final = 0.002
"""Seconds that one message is assumed to take when its handler declares nothing."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A registered function: which types it takes, one at a time or many, its cost in seconds a message."""

    function: Function
    types: tuple[MessageType, ...]
    many: bool
    cost: float
    prepare: Function | None = None
