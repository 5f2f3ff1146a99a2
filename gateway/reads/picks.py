"""Picks as pages show them, from ready JSON: picks and authors of `read_picks`, things of `read_things`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from gateway.reads.cache import PageCache
from gateway.reads.cursors import Cursor, cut
from gateway.reads.database import Database
from gateway.reads.represent import Representation, listing, subject

if TYPE_CHECKING:
    from asyncpg import Record

    from gateway.reads.database import Session

SHOWN: Final = ("read_picks", "read_things")
"""The read models that are on a page of picks."""
COLUMNS: Final = """
SELECT p.pick_id, p.author_id, p.thing_id, p.version, p.deleted_at, p.body,
       (SELECT string_agg(format('"%s":%s', c.kind, c.count), ',' ORDER BY c.kind)
          FROM read_picks.reaction_count c WHERE c.pick_id = p.pick_id AND c.count > 0) AS reactions,
       (SELECT a.body FROM read_picks.author a WHERE a.account_id = p.author_id) AS author
"""
ONE: Final = f"{COLUMNS} FROM read_picks.pick p WHERE pick_id = $1"
THINGS: Final = "SELECT thing_id, body FROM read_things.thing WHERE thing_id = ANY($1)"


@dataclass(frozen=True, slots=True)
class Order:
    """One listing of picks, newest first; `name` is the byte that marks its cursors."""

    name: bytes
    time: str
    owner: str | None = None

    def query(self, *, after: bool) -> str:
        """SQL of one page: `$1` limit, then the owner, then time and id of the cursor.

        Deleted picks are on no page, not even their author's: a page is the same whoever looks.
        """
        conditions = ["deleted_at IS NULL"]
        if self.owner:
            conditions.append(f"{self.owner} = $2")
        if after:
            first = 3 if self.owner else 2
            conditions.append(f"({self.time}, pick_id) < (${first}, ${first + 1})")
        return (
            f"{COLUMNS}, {self.time} AS at FROM read_picks.pick p WHERE {' AND '.join(conditions)}"
            f" ORDER BY {self.time} DESC, pick_id DESC LIMIT $1"
        )


BY_AUTHOR: Final = Order(b"a", "picked_at", "author_id")
OF_THING: Final = Order(b"t", "published_at", "thing_id")
LATEST: Final = Order(b"l", "published_at")


async def one(database: Database, pick_id: UUID, viewer: UUID | None) -> Representation | None:
    """One pick, None when there is none that `viewer` may see."""
    async with database.session() as session:
        rows = visible(await session.fetch(ONE, pick_id), viewer)
        things = await things_of(session, rows)
    if not rows:
        return None
    return subject(present(rows[0], things), rows[0]["version"])


async def page(
    database: Database,
    cache: PageCache | None,
    order: Order,
    owner: UUID | None,
    limit: int,
    cursor: str | None,
) -> Representation:
    """A page of at most `limit` picks, without a cache read anew. Raises ProblemError (422): bad cursor."""
    read = partial(_read, database, order, owner, limit, cursor)
    return await (read() if cache is None else cache.page((order.name, owner, limit, cursor), read))


async def _read(
    database: Database, order: Order, owner: UUID | None, limit: int, cursor: str | None
) -> Representation:
    arguments: list[object] = [limit + 1]
    if owner is not None:
        arguments.append(owner)
    if cursor is not None:
        start = Cursor.decode(cursor, order.name)
        arguments += [start.at, start.id]
    async with database.session() as session:
        found = await session.fetch(order.query(after=cursor is not None), *arguments)
        rows, following = cut(found, limit, order.name, at="at", id="pick_id")
        things = await things_of(session, rows)
    return listing([present(row, things) for row in rows], following)


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
    """Present: the pick's members, its author, thing and reactions; of who or what is unknown only the id."""
    author = row["author"] or only_id(row["author_id"])
    thing = things.get(row["thing_id"]) or only_id(row["thing_id"])
    reactions = (row["reactions"] or "").encode()
    return b'{%b,"author":%b,"thing":%b,"reactions":{%b}}' % (row["body"], author, thing, reactions)


def only_id(key: UUID) -> bytes:
    """What is shown of a subject of which nothing more is known."""
    return b'{"id":"%b"}' % str(key).encode()
