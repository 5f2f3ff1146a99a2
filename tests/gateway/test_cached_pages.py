"""Pages out of the cache, over real servers: fresh when woken, bounded when not, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.reads import picks
from gateway.reads.cache import PageCache
from gateway.reads.database import Database
from gateway.services import Services, open_services
from infra.settings import Settings
from infra.wake import Waker
from schemas.picks import PickDeleted
from tests.gateway.conftest import IMPATIENT
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, a_thing, probes, slug
from tests.given import a_state, added, published, reacted

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

    from gateway.reads.database import Session

PATIENCE = 30.0
FOR_EVER = IMPATIENT.model_copy(update={"page_cache_seconds": 1e9})
"""So that only what moves makes a page new."""


@pytest.fixture
async def lasting(servers: Settings) -> AsyncIterator[Services]:
    """A gateway whose pages are good for ever."""
    async with open_services(servers, FOR_EVER) as services:
        yield services


@pytest.fixture
async def app(lasting: Services) -> ASGIApp:
    """What people and `anybody` ask."""
    return create_app(lasting, probes)


@pytest.fixture
async def anybody(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_of(app) as client:
        yield client


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    """A client without a token."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.fixture
async def wake(servers: Settings) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Tells all gateways that a group has moved, as the runtime does."""
    waker = Waker(servers)
    yield waker.wake
    await waker.close()


class Shown:
    """A pick of somebody, and the pages that it is on."""

    def __init__(self, mesh: Mesh, author: UUID) -> None:
        self.mesh = mesh
        self.thing, self.at = a_thing(), datetime.now(UTC)  # so that it is on top of the feed
        self.pick = published(author, self.thing, published_at=self.at)
        self.paths = (
            f"/v1/accounts/{author}/picks",
            f"/v1/things/{self.pick.thing_id}/picks",
            "/v1/feeds/latest?limit=100",
        )

    async def delete(self) -> None:
        """Delete it in the read models; nobody is woken."""
        times = {"published_at": self.at, "deleted_at": self.at}
        await self.mesh.project(a_state(PickDeleted, self.pick.author_id, self.thing, version=2, **times))

    async def on(self, client: httpx.AsyncClient, path: str, **headers: str) -> bool:
        """Whether a page shows it."""
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(self.pick.pick_id) in answer.text


@pytest.fixture
async def shown(mesh: Mesh, ana: Person, anybody: httpx.AsyncClient) -> Shown:
    """A pick of Ana's on pages that are all in the cache."""
    made = Shown(mesh, ana.account)
    await mesh.project(added(made.thing), made.pick)
    for path in made.paths:
        await anybody.get(path)
    return made


async def test_a_page_is_fresh_after_a_wake_up(
    shown: Shown, anybody: httpx.AsyncClient, wake: Callable[[str], Awaitable[None]]
) -> None:
    """Given a warm cache, when a pick is deleted, then its pages lose it with the wake-up and not before."""
    before = (await anybody.get(shown.paths[0])).headers["etag"]
    await shown.delete()
    assert await shown.on(anybody, shown.paths[0])

    async with asyncio.timeout(PATIENCE):
        while await shown.on(anybody, shown.paths[0]):
            await wake("read_picks")
            await asyncio.sleep(0.01)

    assert not await shown.on(anybody, shown.paths[1])
    stale = await anybody.get(shown.paths[0], headers={"if-none-match": before})
    assert stale.status_code == 200


async def test_a_lost_wake_up_is_made_up_for_by_the_lifetime(
    shown: Shown, lasting: Services, mesh: Mesh
) -> None:
    """Given a cache of a second, when nobody is woken, then a page is as old as a second and no older."""
    seconds = 0.0
    limits = IMPATIENT.model_copy(update={"page_cache_seconds": 1.0})
    pages = PageCache(picks.SHOWN, limits, lambda: seconds)
    async with client_of(create_app(replace(lasting, pages=pages), probes)) as client:
        path = shown.paths[0]
        assert await shown.on(client, path)
        await shown.delete()

        seconds = 0.999
        assert await shown.on(client, path)
        seconds = 1.0
        assert not await shown.on(client, path)


async def test_a_kept_page_is_answered_like_one_that_was_read(
    shown: Shown, anybody: httpx.AsyncClient, mesh: Mesh, ana: Person
) -> None:
    """Given both, when they are compared, then bytes, entity tag, 304 and cursor are the same."""
    other = a_thing()
    await mesh.project(added(other), published(ana.account, other))
    path = f"{shown.paths[0]}?limit=1"
    first, again = await anybody.get(path), await anybody.get(path)
    following = f"{path}&cursor={again.json()['next']}"
    last, last_again = await anybody.get(following), await anybody.get(following)

    assert (first.content, first.headers["etag"]) == (again.content, again.headers["etag"])
    assert (last.content, last.headers["etag"]) == (last_again.content, last_again.headers["etag"])
    ids = [item["id"] for page in (again, last_again) for item in page.json()["items"]]
    assert len(set(ids)) == 2
    assert last_again.json()["next"] is None
    unchanged = await anybody.get(path, headers={"if-none-match": again.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    for _ in range(2):
        wrong = await anybody.get(f"{path}&cursor=AAAA")
        assert (wrong.status_code, slug(wrong)) == (422, "invalid")


async def test_nobody_gets_what_another_viewer_sees(shown: Shown, ana: Person, bo: Person) -> None:
    """Given a deleted pick, when its author looks first, then it is on no page, his or another's."""
    await shown.delete()
    path = f"{shown.paths[0]}?limit=7"

    own = await ana.send("GET", f"/v1/picks/{shown.pick.pick_id}")
    mine = await ana.send("GET", path)
    his = await bo.send("GET", path)
    his_own = await bo.send("GET", f"/v1/picks/{shown.pick.pick_id}")
    async with client_of(ana.app) as client:
        public = await client.get(path)

    assert (own.status_code, his_own.status_code) == (200, 404)
    assert mine.content == his.content == public.content == b'{"items":[],"next":null}'
    assert mine.headers["cache-control"] == his.headers["cache-control"] == "private, no-cache"
    assert public.headers["cache-control"] == "public, no-cache"
    assert mine.headers["ratelimit-policy"] == his.headers["ratelimit-policy"]
    assert mine.headers["x-request-id"] != his.headers["x-request-id"]


async def test_pickly_after_is_not_answered_from_the_cache_and_leaves_nothing_there(
    shown: Shown, anybody: httpx.AsyncClient, mesh: Mesh, ana: Person
) -> None:
    """Given warm pages, when one is asked for after a deletion, then it is read anew."""
    command = uuid4()
    await shown.delete()
    await mesh.decide(command, actor=ana.account)

    for path in shown.paths:
        assert not await shown.on(anybody, path, **{"pickly-after": str(command)})
        assert await shown.on(anybody, path), "no position has moved, and nobody was woken"


async def test_who_was_told_that_it_is_done_sees_it_on_every_page(
    shown: Shown, anybody: httpx.AsyncClient, mesh: Mesh, ana: Person
) -> None:
    """Given lost wake-ups, when a gateway tells that a command is done, then its pages show the command."""
    command, place = uuid4(), mesh.next_place(shown.pick)
    await mesh.decide(command, actor=ana.account, type="DeletePick", events=[place])
    await ana.send("GET", f"/v1/commands/{command}")
    await shown.delete()
    for path in shown.paths:
        await anybody.get(path)
    for group in picks.SHOWN:
        await mesh.move(group, place)

    told = await ana.send("GET", f"/v1/commands/{command}")

    assert told.json()["status"] == "done"
    assert [await shown.on(anybody, path) for path in shown.paths] == [False] * 3


class Listening(Database):
    """Writes down every statement that PostgreSQL gets."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._pool, database._seconds)
        self.statements: list[str] = []

    @asynccontextmanager
    async def session(self) -> "AsyncIterator[Session]":
        """Like any other."""
        async with super().session() as session:
            with session.query_logger(self._note):
                yield session

    def _note(self, query: "LoggedQuery") -> None:
        self.statements.append(query.query)


@pytest.mark.parametrize("path", range(3))
async def test_twenty_who_ask_at_once_cost_two_statements(
    shown: Shown, lasting: Services, mesh: Mesh, path: int
) -> None:
    """Given an empty cache, when twenty ask for a page, then picks are read once, and their things once."""
    await mesh.project(reacted(shown.pick.author_id, "like", shown.pick.pick_id))
    database = Listening(lasting.database)
    fresh = replace(lasting, database=database, pages=PageCache(picks.SHOWN, FOR_EVER))
    async with client_of(create_app(fresh, probes)) as client:
        answers = await asyncio.gather(*(client.get(shown.paths[path]) for _ in range(20)))

    assert {answer.content for answer in answers} == {answers[0].content}
    assert '"reactions":{"like":1}' in answers[0].text
    assert len(database.statements) == 2, database.statements
