"""Picks as pages show them: `read_picks` holds ready JSON members, things come from `read_things`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from gateway.reads.cursors import Cursor
from gateway.reads.database import Database
from gateway.reads.represent import Representation, listing, subject

if TYPE_CHECKING:
    from asyncpg import Record

    from gateway.reads.database import Session

HYDRATE: Final = """
SELECT pick_id, author_id, thing_id, version, deleted_at, body,
       (SELECT string_agg(format('"%s":%s', c.kind, c.count), ',' ORDER BY c.kind)
          FROM read_picks.reaction_count c WHERE c.pick_id = p.pick_id AND c.count > 0) AS reactions
  FROM read_picks.pick p WHERE pick_id = ANY($1)
"""
THINGS: Final = "SELECT thing_id, body FROM read_things.thing WHERE thing_id = ANY($1)"


@dataclass(frozen=True, slots=True)
class Order:
    """One listing of picks, newest first; `name` is the byte that marks its cursors."""

    name: bytes
    time: str
    owner: str | None = None

    def query(self, *, after: bool) -> str:
        """SQL of one page: `$1` limit, then the owner, then time and id of the cursor."""
        conditions = ["deleted_at IS NULL"]
        if self.owner:
            conditions.append(f"{self.owner} = $2")
        if after:
            first = 3 if self.owner else 2
            conditions.append(f"({self.time}, pick_id) < (${first}, ${first + 1})")
        return (
            f"SELECT pick_id, {self.time} AS at FROM read_picks.pick WHERE {' AND '.join(conditions)}"
            f" ORDER BY {self.time} DESC, pick_id DESC LIMIT $1"
        )


BY_AUTHOR: Final = Order(b"a", "picked_at", "author_id")
OF_THING: Final = Order(b"t", "published_at", "thing_id")
LATEST: Final = Order(b"l", "published_at")


async def one(database: Database, pick_id: UUID, viewer: UUID | None) -> Representation | None:
    """One pick, None when there is none that `viewer` may see."""
    async with database.session() as session:
        rows = visible(await session.fetch(HYDRATE, [pick_id]), viewer)
        things = await things_of(session, rows)
    if not rows:
        return None
    return subject(present(rows[0], things), rows[0]["version"])


async def page(
    database: Database, order: Order, owner: UUID | None, limit: int, cursor: str | None, viewer: UUID | None
) -> Representation:
    """A page of at most `limit` picks; raises ProblemError (422) for a bad cursor."""
    async with database.session() as session:
        skeleton, following = await find(session, order, owner, limit, cursor)
        rows = visible(await session.fetch(HYDRATE, skeleton), viewer) if skeleton else []
        things = await things_of(session, rows)
    shown = {row["pick_id"]: present(row, things) for row in rows}
    return listing([shown[pick_id] for pick_id in skeleton if pick_id in shown], following)


async def find(
    session: "Session", order: Order, owner: UUID | None, limit: int, cursor: str | None
) -> tuple[list[UUID], str | None]:
    """Skeleton: the ids of one page, and the cursor of the next if there is one."""
    arguments: list[object] = [limit + 1]
    if owner is not None:
        arguments.append(owner)
    if cursor is not None:
        start = Cursor.decode(cursor, order.name)
        arguments += [start.at, start.id]
    found = await session.fetch(order.query(after=cursor is not None), *arguments)
    ids = [row["pick_id"] for row in found[:limit]]
    if len(found) <= limit:
        return ids, None
    return ids, Cursor(found[limit - 1]["at"], ids[-1]).encode(order.name)


async def things_of(session: "Session", rows: "Sequence[Record]") -> Mapping[UUID, bytes]:
    """Hydrate: the things of these picks, those that are known."""
    wanted = {row["thing_id"] for row in rows}
    if not wanted:
        return {}
    return {row["thing_id"]: row["body"] for row in await session.fetch(THINGS, list(wanted))}


def visible(rows: "Sequence[Record]", viewer: UUID | None) -> "list[Record]":
    """Rules: a deleted pick is its author's alone."""
    return [row for row in rows if row["deleted_at"] is None or row["author_id"] == viewer]


def present(row: "Record", things: Mapping[UUID, bytes]) -> bytes:
    """Present: the pick's members, its thing, its reactions; of an unknown thing only the id."""
    thing = things.get(row["thing_id"]) or b'{"id":"%b"}' % str(row["thing_id"]).encode()
    reactions = (row["reactions"] or "").encode()
    return b'{%b,"thing":%b,"reactions":{%b}}' % (row["body"], thing, reactions)
