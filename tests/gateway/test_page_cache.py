"""Pages are kept for a moment: one read for all, no older than promised, no more than there is room for."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from prometheus_client import REGISTRY

from gateway.config import GatewaySettings
from gateway.problems import ProblemError
from gateway.reads.cache import PageCache
from gateway.reads.represent import Representation, listing
from gateway.standing import Position

GROUPS = ("read_picks", "read_things")
RESULTS = ("kept", "shared", "read")
PLACE = ("read_picks", "pick.events", 0)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """So much later."""
        self.seconds += seconds


class Shelf:
    """A page that is read each time with the number of the read, held up while `open` is not set."""

    def __init__(self, size: int = 1) -> None:
        self.reads = 0
        self.size = size
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> Representation:
        self.reads += 1
        number = self.reads
        await self.open.wait()
        return listing([b"%d" % number * self.size])


def items(page: Representation) -> bytes:
    """What is on the page."""
    return page.body.removeprefix(b'{"items":[').removesuffix(b'],"next":null}')


async def around(cache: PageCache, shelf: Shelf, happen: Callable[[], None]) -> list[bytes]:
    """What they get who ask before and after something happens, while the first read is on its way."""
    shelf.open.clear()
    before = asyncio.create_task(cache.page("a", shelf))
    await asyncio.sleep(0)
    happen()
    after = asyncio.create_task(cache.page("a", shelf))
    await asyncio.sleep(0)
    shelf.open.set()
    return [items(page) for page in await asyncio.gather(before, after)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> PageCache:
    return PageCache(GROUPS, GatewaySettings(page_cache_seconds=1), clock)


async def test_a_page_is_read_once_in_its_lifetime(cache: PageCache, clock: Clock) -> None:
    shelf = Shelf()

    first = await cache.page("a", shelf)
    clock.seconds += 0.99
    second = await cache.page("a", shelf)
    clock.seconds += 0.01
    third = await cache.page("a", shelf)

    assert [items(page) for page in (first, second, third)] == [b"1", b"1", b"2"]


async def test_the_lifetime_counts_from_the_beginning_of_the_read(cache: PageCache, clock: Clock) -> None:
    shelf = Shelf()

    assert await around(cache, shelf, partial(clock.advance, 1)) == [b"1", b"2"]
    assert items(await cache.page("a", shelf)) == b"2"


async def test_all_who_ask_at_the_same_time_share_one_read(cache: PageCache) -> None:
    shelf = Shelf()

    pages = await asyncio.gather(*(cache.page("a", shelf) for _ in range(50)), cache.page("b", Shelf()))

    assert shelf.reads == 1
    assert {items(page) for page in pages} == {b"1"}


@pytest.mark.parametrize("group", GROUPS)
async def test_what_moves_makes_all_its_pages_anew(cache: PageCache, group: str) -> None:
    shelves = {key: Shelf() for key in "ab"}
    for key, shelf in shelves.items():
        await cache.page(key, shelf)

    cache.forget(group)

    assert [items(await cache.page(key, shelf)) for key, shelf in shelves.items()] == [b"2", b"2"]


async def test_what_is_on_no_page_moves_nothing(cache: PageCache) -> None:
    shelf = Shelf()
    await cache.page("a", shelf)

    cache.forget("curation")

    assert items(await cache.page("a", shelf)) == b"1"


async def test_a_read_that_began_before_the_move_is_not_kept_and_joined_by_nobody(cache: PageCache) -> None:
    shelf = Shelf()

    assert await around(cache, shelf, partial(cache.forget, "read_picks")) == [b"1", b"2"]
    assert items(await cache.page("a", shelf)) == b"2"


async def test_the_older_of_two_reads_does_not_replace_the_newer(cache: PageCache) -> None:
    old, new = Shelf(), Shelf()
    old.open.clear()
    before = asyncio.create_task(cache.page("a", old))
    await asyncio.sleep(0)
    cache.forget("read_picks")
    newer = await cache.page("a", new)

    old.open.set()
    await before

    assert await cache.page("a", old) is newer


async def test_positions_that_have_moved_count_as_a_wake_up(cache: PageCache) -> None:
    shelf = Shelf()
    cache.seen({PLACE: Position(1)})
    await cache.page("a", shelf)

    cache.seen({PLACE: Position(1)})
    same = await cache.page("a", shelf)
    cache.seen({PLACE: Position(2)})
    moved = await cache.page("a", shelf)
    cache.seen({})  # nobody has looked at them
    unknown = await cache.page("a", shelf)

    assert [items(page) for page in (same, moved, unknown)] == [b"1", b"2", b"2"]


async def test_a_failure_is_told_to_all_who_asked_and_not_kept(cache: PageCache) -> None:
    async def fail() -> Representation:
        await asyncio.sleep(0)
        raise ProblemError("unavailable", "The database does not answer; try again soon.")

    answers = await asyncio.gather(*(cache.page("a", fail) for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ProblemError] * 3
    assert items(await cache.page("a", Shelf())) == b"1"


async def test_who_gives_up_takes_the_page_from_nobody(cache: PageCache) -> None:
    shelf = Shelf()
    shelf.open.clear()
    first = asyncio.create_task(cache.page("a", shelf))
    second = asyncio.create_task(cache.page("a", shelf))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    shelf.open.set()

    assert items(await second) == b"1"
    assert first.cancelled()


async def test_the_oldest_page_makes_room_for_the_newest(clock: Clock) -> None:
    cache = PageCache(GROUPS, GatewaySettings(page_cache_pages=2), clock)
    shelves = {key: Shelf() for key in "abc"}
    for key, shelf in shelves.items():
        await cache.page(key, shelf)

    again = {key: items(await cache.page(key, shelves[key])) for key in "cba"}

    assert again == {"c": b"1", "b": b"1", "a": b"2"}


async def test_pages_have_so_many_bytes_together(clock: Clock) -> None:
    small = len(listing([b"1" * 100]).body)
    cache = PageCache(GROUPS, GatewaySettings(page_cache_bytes=2 * small), clock)
    shelves = {key: Shelf(100) for key in "abc"}
    for key, shelf in shelves.items():
        await cache.page(key, shelf)
    clock.seconds += 0.5
    cache.forget("read_picks")
    for key in "abc":
        await cache.page(key, shelves[key])
    huge = Shelf(1_000)
    await cache.page("huge", huge)

    again = {key: items(await cache.page(key, shelves[key]))[:1] for key in "cba"}
    await cache.page("huge", huge)

    assert again == {"c": b"2", "b": b"2", "a": b"3"}
    assert huge.reads == 2


async def test_without_a_lifetime_every_page_is_read(clock: Clock) -> None:
    cache = PageCache(GROUPS, GatewaySettings(page_cache_seconds=0), clock)
    shelf = Shelf()

    await asyncio.gather(*(cache.page("a", shelf) for _ in range(3)))

    assert shelf.reads == 3


async def test_metrics_tell_where_pages_came_from(cache: PageCache) -> None:
    def told() -> list[float]:
        samples = [REGISTRY.get_sample_value("pickly_page_cache_total", {"result": r}) for r in RESULTS]
        return [sample or 0.0 for sample in samples]

    before = told()
    await asyncio.gather(*(cache.page("a", Shelf()) for _ in range(3)))
    await cache.page("a", Shelf())

    assert [now - then for now, then in zip(told(), before, strict=True)] == [1, 2, 1]
