"""A feed page of 20 per CPU second: our gateway against Fastify + Drizzle, on the same 20,000 picks.

GET /v1/feeds/latest without a token, 32 clients. Ours is the gateway as it is shipped: it keeps a page for at
most a second; as nothing is written meanwhile, it reads one page a second and answers the others from memory.
Beside it, reported, is the same gateway with PICKLY_GATEWAY_PAGE_CACHE_SECONDS=0, which reads every page, as
ready JSON, from two read models. The peer has no cache; it joins tables with columns, prepared once, and
serialises by schema. All send an entity tag, and before the first round all must show the same page.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, repeat
from statistics import median
from typing import TYPE_CHECKING

import orjson

from consumers.projections.picks import store as picks
from consumers.projections.things import store as things
from infra.settings import Settings
from schemas.message import Message
from schemas.picks import PickPublished
from tests.bench import made
from tests.bench.commands import details
from tests.bench.contest import Score, Server, contest, peer, until_ready
from tests.bench.document import Bar, Row
from tests.bench.effort import Effort
from tests.bench.ground import UNLIMITED, inside, platform, processes
from tests.bench.http import connect, request
from tests.journeys.stack import Stack

if TYPE_CHECKING:
    from asyncpg import Connection

NAME = "feed"
PICKS, PORTION = 20_000, 1_000
OURS, UNCACHED, PEER = "gateway", "gateway without its cache", "Fastify + Drizzle"
TABLES = """
CREATE SCHEMA peer;
CREATE TABLE peer.thing (
    thing_id uuid PRIMARY KEY, ref text NOT NULL, kind text NOT NULL, title text NOT NULL
);
CREATE TABLE peer.pick (
    pick_id uuid PRIMARY KEY, author_id uuid NOT NULL, thing_id uuid NOT NULL, note text NOT NULL,
    rating double precision, tags text[] NOT NULL, picked_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL, edited_at timestamptz, deleted_at timestamptz, version bigint NOT NULL
);
CREATE INDEX ON peer.pick (published_at DESC, pick_id DESC) WHERE deleted_at IS NULL;
CREATE TABLE peer.reaction_count (
    pick_id uuid NOT NULL, kind text NOT NULL, count bigint NOT NULL, PRIMARY KEY (pick_id, kind)
);
INSERT INTO peer.reaction_count SELECT pick_id, kind, count FROM read_picks.reaction_count;
"""


async def feed(config: Settings, effort: Effort) -> list[Row]:
    """Two rows: as shipped, and, reported, with every page read."""
    async with platform(config) as own:
        async with inside(own, "read_picks, read_things") as db:
            await _fill(db)
        with (
            processes(own) as shipped,
            processes(own, UNLIMITED | {"PICKLY_GATEWAY_PAGE_CACHE_SECONDS": "0"}) as uncached,
            peer("feed.js", PEER_DATABASE=own.dsn("postgres")) as fastify,
        ):
            servers = {OURS: _gateway(shipped), UNCACHED: _gateway(uncached), PEER: fastify}
            for server in servers.values():
                await until_ready(server)
            size = await _same_page(servers)
            scores = await contest(servers, _requests(), 200, _no_audit, effort)
    what = f"feed page of 20 out of {PICKS:,} picks"
    return [
        _row(what, scores[OURS], scores[PEER], size, Bar(at_least=2.0)),
        _row(f"{what}, without the cache", scores[UNCACHED], scores[PEER], size, None),
    ]


def _gateway(stack: Stack) -> Server:
    stack.start("gateway")
    return Server(stack.ports["gateway"], stack.processes["gateway"].pid)


def _row(what: str, ours: Score, theirs: Score, size: int, bar: Bar | None) -> Row:
    figures = details(ours, theirs) | {
        "ours CPU us": 1e6 / median(ours.per_cpu_second),
        "theirs CPU us": 1e6 / median(theirs.per_cpu_second),
        "bytes of a page": size,
    }
    return Row.of(
        NAME, what, PEER, "pages per CPU second", ours.per_cpu_second, theirs.per_cpu_second, bar, **figures
    )


def _requests() -> Iterator[bytes]:
    return repeat(request("GET", "/v1/feeds/latest"))


async def _no_audit(name: str, pages: int) -> None:
    """Reading changes nothing."""


async def _same_page(servers: dict[str, Server]) -> int:
    """The bytes of our page; raises unless all show the same."""
    pages = {}
    for name, server in servers.items():
        connection = await connect(server.port)
        answer = await connection.ask(request("GET", "/v1/feeds/latest"))
        connection.close()
        if b"\r\netag: W/" not in answer.head:
            raise RuntimeError(f"{name} sends no entity tag")
        pages[name] = answer.body
    ours, *others = (_known(orjson.loads(page)) for page in pages.values())
    if any(other != ours for other in others) or len(ours["items"]) != 20:
        raise RuntimeError(f"the pages differ: {ours} and {others}")
    return len(pages[OURS])


def _known(page: dict[str, list[dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    """A page with its times as times: milliseconds may be written or not."""
    for item in page["items"]:
        for name in ("picked_at", "published_at"):
            item[name] = datetime.fromisoformat(str(item[name]))
    return page


async def _fill(db: "Connection") -> None:
    """Through the projections' own SQL into the read models, by columns into the peer's tables."""
    added = [made.thing(number) for number in range(made.THINGS)]
    await things.show(db, added)
    shown = [made.published(number) for number in range(PICKS)]
    for start in range(0, PICKS, PORTION):
        await picks.show(db, shown[start : start + PORTION])
        edges = map(made.reactions, range(start, start + PORTION))
        await picks.react(db, list(chain.from_iterable(edges)))
    await db.execute(TABLES)
    await _copy(db, "thing", ("thing_id", "ref", "kind", "title"), added)
    await _copy(db, "pick", tuple(PickPublished.model_fields), shown)
    await db.execute("VACUUM ANALYZE")


async def _copy(db: "Connection", table: str, columns: Sequence[str], models: Sequence[Message]) -> None:
    rows = [tuple(getattr(model, column) for column in columns) for model in models]
    await db.copy_records_to_table(table, schema_name="peer", columns=columns, records=rows)
