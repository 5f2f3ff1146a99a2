"""SQL of the read model of things. A pick's contribution is an edge; counts move by new edge against old."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import asyncpg
import orjson

from infra.partitions import partition_of
from infra.runtime import Db
from schemas.picks import PickGone, PickState
from schemas.things import ThingAdded
from schemas.topics import PICK_EVENTS


async def show(db: Db, things: Sequence[ThingAdded]) -> None:
    """Write each thing as ready JSON."""
    await db.execute(
        "INSERT INTO thing (thing_id, version, body)"
        " SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) ORDER BY 1"
        " ON CONFLICT (thing_id) DO UPDATE SET version = excluded.version, body = excluded.body"
        " WHERE excluded.version > thing.version",
        [thing.thing_id for thing in things],
        [thing.version for thing in things],
        [_body(thing) for thing in things],
    )


def _body(thing: ThingAdded) -> bytes:
    return orjson.dumps({"id": thing.thing_id, "ref": thing.ref, "kind": thing.kind, "title": thing.title})


@dataclass(frozen=True, slots=True)
class Edge:
    """What a pick contributes to its thing; bucket is the rating in halves, 0 without one."""

    pick_id: UUID
    thing_id: UUID
    bucket: int
    counted: bool
    version: int

    @classmethod
    def of(cls, pick: PickState) -> Self:
        """The contribution of a pick as it stands now."""
        bucket = round(pick.rating * 2) if pick.rating else 0
        return cls(pick.pick_id, pick.thing_id, bucket, pick.deleted_at is None, pick.version)


SAVE: Final = """
    INSERT INTO pick_edge (pick_id, thing_id, bucket, counted, version)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::bool[], $5::bigint[]) ORDER BY 1
    ON CONFLICT (pick_id) DO UPDATE
       SET bucket = excluded.bucket, counted = excluded.counted, version = excluded.version
     WHERE excluded.version > pick_edge.version
    RETURNING pick_id
"""


async def count(db: Db, edges: Sequence[Edge]) -> None:
    """Take newer edges, and move the counts by what they changed."""
    ids = sorted(edge.pick_id for edge in edges)
    before = await db.fetch(
        "SELECT * FROM pick_edge WHERE pick_id = ANY($1) ORDER BY pick_id FOR UPDATE", ids
    )
    saved = await db.fetch(
        SAVE,
        [edge.pick_id for edge in edges],
        [edge.thing_id for edge in edges],
        [edge.bucket for edge in edges],
        [edge.counted for edge in edges],
        [edge.version for edge in edges],
    )
    taken = {row["pick_id"] for row in saved}
    minus = [_edge(row) for row in before if row["pick_id"] in taken]
    await _move(db, plus=[edge for edge in edges if edge.pick_id in taken], minus=minus)


async def uncount(db: Db, picks: Sequence[PickGone]) -> None:
    """Forget the edges of picks that are gone, and uncount them."""
    rows = await db.fetch(
        "DELETE FROM pick_edge e USING unnest($1::uuid[], $2::bigint[]) AS g(pick_id, version)"
        " WHERE e.pick_id = g.pick_id AND e.version < g.version RETURNING e.*",
        [pick.pick_id for pick in picks],
        [pick.version for pick in picks],
    )
    await _move(db, plus=[], minus=[_edge(row) for row in rows])


def _edge(row: asyncpg.Record) -> Edge:
    return Edge(row["pick_id"], row["thing_id"], row["bucket"], row["counted"], row["version"])


async def _move(db: Db, *, plus: Iterable[Edge], minus: Iterable[Edge]) -> None:
    delta: Counter[tuple[UUID, int, int]] = Counter()
    delta.update(_place(edge) for edge in plus if edge.counted)
    delta.subtract(_place(edge) for edge in minus if edge.counted)
    moved = sorted((place, n) for place, n in delta.items() if n)
    columns = [[place[number] for place, _ in moved] for number in range(3)]
    if moved:
        await db.execute(
            "INSERT INTO thing_count AS c (thing_id, bucket, partition, count)"
            " SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::bigint[])"
            " ON CONFLICT (thing_id, bucket, partition) DO UPDATE SET count = c.count + excluded.count",
            *columns,
            [n for _, n in moved],
        )
    if any(n < 0 for _, n in moved):  # of none no row is left, as if there never were any
        await db.execute(
            "DELETE FROM thing_count c USING unnest($1::uuid[], $2::smallint[], $3::int[])"
            " AS m(thing_id, bucket, partition) WHERE count = 0"
            " AND (c.thing_id, c.bucket, c.partition) = (m.thing_id, m.bucket, m.partition)",
            *columns,
        )


def _place(edge: Edge) -> tuple[UUID, int, int]:
    return edge.thing_id, edge.bucket, partition_of(str(edge.pick_id), PICK_EVENTS)
