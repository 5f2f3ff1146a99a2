"""Cursors: where a page ended, as opaque text. Keyset paging, so that rows never repeat or get lost."""

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from gateway.problems import ProblemError, invalid

if TYPE_CHECKING:
    from asyncpg import Record

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SHAPE: Final = struct.Struct(">cq16s")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort key of the last item of a page: a time and, for equal times, an id."""

    at: datetime
    id: UUID

    def encode(self, listing: bytes) -> str:
        """Opaque base64url; `listing` is one byte that says of which order it is."""
        packed = SHAPE.pack(listing, (self.at - EPOCH) // MICROSECOND, self.id.bytes)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str, listing: bytes) -> Self:
        """Raises ProblemError (422) for what `encode` has not made for this listing."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            order, microseconds, key = SHAPE.unpack(raw)
            cursor = cls(EPOCH + microseconds * MICROSECOND, UUID(bytes=key))
        except (binascii.Error, struct.error, ValueError, OverflowError):
            raise _bad() from None
        if order != listing or cursor.encode(listing) != text:
            raise _bad()
        return cursor


def cut(
    found: "Sequence[Record]", limit: int, listing: bytes, *, at: str, id: str
) -> "tuple[Sequence[Record], str | None]":
    """A page of what was found, and the cursor of the next one if there are more than `limit` rows.

    `at` and `id` are the columns of the sort key.
    """
    rows = found[:limit]
    if len(found) <= limit:
        return rows, None
    return rows, Cursor(rows[-1][at], rows[-1][id]).encode(listing)


def _bad() -> ProblemError:
    return invalid("cursor", "cursor", "is not a cursor of this listing; begin again without one")
