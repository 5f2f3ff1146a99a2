"""Things with how they were picked: `read_things` counts per partition, a read adds up."""

from collections import Counter
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson

from gateway.reads.database import Database
from gateway.reads.represent import Representation, listing, subject

if TYPE_CHECKING:
    from asyncpg import Record

BUCKETS: Final = range(1, 11)
"""Ratings in halves; bucket 0 holds picks without a rating."""
COUNTED: Final = """
SELECT thing_id, version, body,
       ARRAY(SELECT bucket FROM read_things.thing_count c WHERE c.thing_id = t.thing_id
              ORDER BY bucket, partition) AS buckets,
       ARRAY(SELECT count FROM read_things.thing_count c WHERE c.thing_id = t.thing_id
              ORDER BY bucket, partition) AS counts
  FROM read_things.thing t WHERE thing_id = $1
"""


async def one(database: Database, thing_id: UUID) -> Representation | None:
    """One thing with its counts, None when it is not known."""
    row = await database.fetchrow(COUNTED, thing_id)
    return None if row is None else subject(present(row), row["version"])


async def by_id(database: Database, thing_id: UUID) -> Representation:
    """A listing of the thing, empty when it is not known."""
    row = await database.fetchrow(COUNTED, thing_id)
    return listing([] if row is None else [present(row)], paged=False)


def present(row: "Record") -> bytes:
    """The thing's own members, then pick_count, rating_count, rating_mean and rating_histogram."""
    counts: Counter[int] = Counter()
    for bucket, count in zip(row["buckets"], row["counts"], strict=True):
        counts[bucket] += count
    body: bytes = row["body"]
    return body[:-1] + b"," + orjson.dumps(summary(counts))[1:]


def summary(counts: Counter[int]) -> dict[str, object]:
    """Counts by bucket as a page shows them; the mean has four decimals, and is null without ratings."""
    rated = sum(counts[bucket] for bucket in BUCKETS)
    halves = sum(bucket * counts[bucket] for bucket in BUCKETS)
    return {
        "pick_count": rated + counts[0],
        "rating_count": rated,
        "rating_mean": round(halves / (2 * rated), 4) if rated else None,
        "rating_histogram": {str(bucket / 2): counts[bucket] for bucket in BUCKETS},
    }
