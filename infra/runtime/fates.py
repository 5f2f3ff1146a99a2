"""What a failure means: wait for an outage to end, try again now, take less at once, or a defect."""

from enum import Enum
from typing import Final

import asyncpg
from aiokafka.errors import KafkaError
from redis import exceptions as valkey


class Fate(Enum):
    """What to do with the records of a transaction that failed."""

    OUTAGE = "outage"  # something we need is away: pause and retry without limit
    AGAIN = "again"  # a conflict between transactions: the same again, now
    LESS = "less"  # too much for one statement or transaction: halve; alone it is a defect
    DEFECT = "defect"  # the code or the data: alone, a few times, then a dead letter


class StaleOwnerError(Exception):
    """The position is not where we left it: another member owns the partition now, or we were frozen."""


class OutageError(Exception):
    """Something outside that we need is away; raised by adapters whose library has no clear error for it."""


class TooLargeError(ValueError):
    """A handler returned a message over the size limit."""


OUTAGES: Final = (
    OSError,
    TimeoutError,
    OutageError,
    KafkaError,
    valkey.ConnectionError,
    valkey.TimeoutError,
    asyncpg.InterfaceError,
)
OUTAGE_STATES: Final = ("08", "53", "57P01", "57P02", "57P03", "57P05")
AGAIN_STATES: Final = ("40001", "40P01", "55P03")
LESS_STATES: Final = ("57014", "25P03", "54")


def fate_of(error: BaseException) -> Fate:
    """Classify a failure by SQLSTATE, else by type.

    asyncpg's bad-argument error is an InterfaceError and a ValueError: a defect, so it is looked at first; so
    is a handler that uses its connection from two tasks ("another operation is in progress").
    A connection that a server-side timeout closed shows as InterfaceError or ConnectionDoesNotExistError; one
    on which the server has said goodbye as InternalClientError; one that was reset as uvloop's RuntimeError.
    A statement cached before a migration is a conflict: prepared anew, it works.
    """
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.InvalidCachedStatementError) or state in AGAIN_STATES:
        return Fate.AGAIN
    if state.startswith(LESS_STATES):
        return Fate.LESS
    if state.startswith(OUTAGE_STATES):
        return Fate.OUTAGE
    if isinstance(error, asyncpg.InternalClientError) or "handler is closed" in str(error):
        return Fate.OUTAGE
    if state or isinstance(error, ValueError) or "another operation" in str(error):
        return Fate.DEFECT
    return Fate.OUTAGE if isinstance(error, OUTAGES) else Fate.DEFECT
