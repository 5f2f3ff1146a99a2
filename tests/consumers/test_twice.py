"""Every handler of every group decides the same again: no clock, no randomness, no trace of a first try."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from random import random
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consumers.auth import key_pairs
from consumers.auth.store.keys import KeyPair
from consumers.registry import ALL
from infra.ops.migrate import migrate
from infra.runtime import Decider, Projection
from infra.runtime.group import Group
from infra.runtime.records import Record
from infra.settings import Settings
from schemas.message import State
from tests.consumers.invented import handled, logs
from tests.consumers.twice import Bench, Rows

DECIDERS = {name: group for name, group in ALL.items() if isinstance(group, Decider)}
PROJECTIONS = {name: group for name, group in ALL.items() if isinstance(group, Projection)}
Benches = Callable[[Group], tuple[Bench, Bench]]
a_few = settings(
    max_examples=25,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate],  # to make a failing log small takes minutes
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def no_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key pairs are what identity draws in `prepare`, where it may; here they are the same each time."""

    def pair(use: str, at: datetime) -> KeyPair:
        return KeyPair(f"{use}{at:%d%H%M}", use, "AA", b"wrapped", at)

    monkeypatch.setattr(key_pairs, "MAKERS", {use: partial(pair, use) for use in key_pairs.MAKERS})


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Hypothesis calls plain functions; what they await runs here."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def pair(settings: Settings, loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Settings, Settings]]:
    """Two equal databases."""
    base = urlsplit(settings.database)
    names = [f"twice_{uuid4().hex[:12]}" for _ in range(2)]
    both = [settings.model_copy(update={"database": base._replace(path=f"/{n}").geturl()}) for n in names]

    async def make() -> None:
        admin = await asyncpg.connect(settings.dsn("postgres"))
        for name, own in zip(names, both, strict=True):
            await admin.execute(f"CREATE DATABASE {name} OWNER migrate")
            await migrate(own)
        await admin.close()

    async def drop() -> None:
        admin = await asyncpg.connect(settings.dsn("postgres"))
        for name in names:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()

    loop.run_until_complete(make())
    yield both[0], both[1]
    loop.run_until_complete(drop())


@pytest.fixture
def benches(pair: tuple[Settings, Settings], loop: asyncio.AbstractEventLoop) -> Iterator[Benches]:
    """The same group on both."""
    made: list[Bench] = []

    def make(group: Group) -> tuple[Bench, Bench]:
        dbs = [loop.run_until_complete(asyncpg.connect(own.dsn("postgres"))) for own in pair]
        both = [Bench(group, own, db) for own, db in zip(pair, dbs, strict=True)]
        made.extend(both)
        return both[0], both[1]

    yield make
    for bench in made:
        loop.run_until_complete(bench.close())


Cuts = Sequence[int]
cuts = st.lists(st.integers(1, 9), min_size=24, max_size=24)


def batches(records: Sequence[Record], sizes: Cuts) -> Iterator[Sequence[Record]]:
    """The records in polls of these sizes."""
    left = list(records)
    for size in sizes:
        if left:
            yield left[:size]
            left = left[size:]


async def told(bench: Bench, records: Sequence[Record], sizes: Cuts, *, rolled_back: bool = False) -> Rows:
    """What is in the tables after the log was read from the start, with empty tables."""
    await bench.begin()
    for batch in batches(records, sizes):
        await bench.poll(batch, rolled_back=rolled_back)
    return await bench.rows()


async def assert_it_decides_the_same_again(
    first: Bench, second: Bench, records: Sequence[Record], sizes: Cuts
) -> None:
    rows = await told(first, records, sizes)
    assert rows == await told(second, records, sizes), "in another database"
    assert rows == await told(second, records, sizes, rolled_back=True), "after a try that was rolled back"
    await first.read_again()
    for batch in batches(records, sizes):
        await first.poll(batch)
    assert rows == await first.rows(), "after a repeat of the whole log"


def decides_the_same_again(group: Group, benches: Benches, loop: asyncio.AbstractEventLoop) -> set[str]:
    """Try it on any logs; the types that were on them."""
    first, second = benches(group)
    seen: set[str] = set()

    @a_few
    @given(records=logs(group), sizes=cuts)
    def check(records: list[Record], sizes: Cuts) -> None:
        seen.update(handled(group.types, records))
        loop.run_until_complete(assert_it_decides_the_same_again(first, second, records, sizes))

    check()
    return seen


@pytest.mark.parametrize("name", ALL)
def test_every_handler_leads_to_the_same_rows_events_and_bytes_again(
    name: str, benches: Benches, loop: asyncio.AbstractEventLoop
) -> None:
    seen = decides_the_same_again(ALL[name], benches, loop)

    assert seen == set(ALL[name].types), "every handler had something to do"


def in_another_order(records: Sequence[Record], topics: Sequence[str]) -> list[Record]:
    """Topic by topic, as a rebuild may read them; the order within a partition stays."""
    return list(chain.from_iterable([r for r in records if r.topic == topic] for topic in topics))


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_read_model_is_the_same_whatever_topic_is_read_first_and_in_whatever_portions(
    name: str, benches: Benches, loop: asyncio.AbstractEventLoop
) -> None:
    group = PROJECTIONS[name]
    first, second = benches(group)

    @a_few
    @given(records=logs(group), sizes=cuts, topics=st.permutations(sorted(group.topics)))
    def check(records: list[Record], sizes: Cuts, topics: Sequence[str]) -> None:
        async def compare() -> None:
            rows = await told(first, records, sizes)
            assert rows == await told(second, records, [1] * len(records)), "one by one"
            assert rows == await told(second, in_another_order(records, topics), sizes), "by topic"

        loop.run_until_complete(compare())

    check()


async def by_chance(outcome: State) -> State:
    """A handler that rolls dice."""
    return outcome.model_copy(update={"note": str(random())})


async def by_the_clock(outcome: State) -> State:
    """A handler that looks at the clock."""
    return outcome.model_copy(update={"published_at": datetime.now(UTC)})


@pytest.mark.parametrize("spoiled", [by_chance, by_the_clock])
def test_a_handler_with_a_clock_or_with_dice_is_found(
    benches: Benches, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, spoiled: Any
) -> None:
    group = ALL["curation"]
    handler = group.handlers["PublishPick"]

    async def wrong(*arguments: Any) -> Any:
        outcome = await handler.function(*arguments)
        return [*outcome[:-1], await spoiled(outcome[-1])] if isinstance(outcome, list) else outcome

    monkeypatch.setitem(group.handlers, "PublishPick", replace(handler, function=wrong))

    with pytest.raises(AssertionError, match="in another database"):
        decides_the_same_again(group, benches, loop)
