"""A projection: the newest version of a key wins, gone stays gone, a newer state heals what was set aside."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from aiokafka import TopicPartition

from infra.runtime import Db, poll
from infra.runtime.poll import ATTEMPTS
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import Contract, Tape, contract, polled, projection

MakeBench = Callable[..., Bench]


@pytest.fixture
def c() -> Contract:
    return contract("projection", partitions=2)


async def ready(bench: MakeBench, c: Contract) -> tuple[Bench, Tape]:
    made = bench(projection(c))
    await made.own(*(TopicPartition(c.events.name, n) for n in range(2)))
    return made, Tape.of(c.events)


async def shown(db: Db) -> list[tuple[Any, ...]]:
    return [
        tuple(row) for row in await db.fetch("SELECT key, value, version FROM read_widgets.widget ORDER BY 1")
    ]


async def test_rows_and_position_move_together(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)

    await b.poller.run(polled(tape.add(c.Widget(key_="a", value="1", version=1), partition=0)))

    assert await shown(db) == [("a", "1", 1)]
    row = await db.fetchrow("SELECT next_offset, applied_at FROM read_widgets.position WHERE partition = 0")
    assert row is not None
    assert (row["next_offset"], row["applied_at"]) == (1, tape.at)
    tables = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'read_widgets'")
    assert not {"inbox", "outbox", "decision"} & {table["tablename"] for table in tables}


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_any_order_in_any_polls_ends_in_the_newest_state(
    bench: MakeBench, db: Db, c: Contract, order: tuple[int, ...]
) -> None:
    b, tape = await ready(bench, c)
    life = [
        c.Widget(key_="a", value="first", version=1),
        c.Widget(key_="a", value="edited", version=2),
        c.WidgetGone(key_="a", version=3),
        c.Widget(key_="a", value="again", version=4),
    ]
    records = [tape.add(life[n], partition=0) for n in order]

    for record in records[:2]:
        await b.poller.run(polled(record))
    await b.poller.run(polled(*records[2:]))

    assert await shown(db) == [("a", "again", 4)]


async def test_what_is_gone_does_not_come_back_by_a_late_state(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    gone = tape.add(c.WidgetGone(key_="a", version=3), partition=0)
    late = tape.add(c.Widget(key_="a", value="late", version=2), partition=0)

    await b.poller.run(polled(gone))
    await b.poller.run(polled(late))

    assert await shown(db) == []
    assert await db.fetchval("SELECT sequence FROM read_widgets.gone") == 3


async def test_a_key_may_live_and_die_twice_in_one_poll(
    bench: MakeBench, db: Db, c: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    b, tape = await ready(bench, c)
    first = tape.add(c.WidgetGone(key_="a", version=2), partition=0)
    again = tape.add(c.Widget(key_="a", value="again", version=3), partition=0)
    second = tape.add(c.WidgetGone(key_="a", version=4), partition=0)
    monkeypatch.setattr(poll, "split", lambda _: pytest.fail("it was applied in parts"))

    await b.poller.run(polled(first, again, second))

    assert await shown(db) == []
    assert await db.fetchval("SELECT sequence FROM read_widgets.gone") == 4


async def test_a_failing_state_is_set_aside_and_parks_nothing(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    bad = tape.add(c.Widget(key_="a", value="poison", version=1), partition=0)
    for _ in range(ATTEMPTS):
        await b.poller.run(polled(bad))

    await b.poller.run(polled(tape.add(c.Widget(key_="a", value="well", version=2), partition=0)))

    assert await shown(db) == [("a", "well", 2)]
    letter = await db.fetchrow(
        "SELECT state, closed_at IS NOT NULL AS closed, body FROM read_widgets.dead_letter"
    )
    assert letter is not None
    assert (letter["state"], letter["closed"]) == ("closed", True)
    assert letter["body"] is not None


async def test_a_tombstone_takes_the_payload_of_dead_letters_with_it(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    bad = tape.add(c.Widget(key_="a", value="poison", version=1), partition=0)
    for _ in range(ATTEMPTS):
        await b.poller.run(polled(bad))

    await b.poller.run(polled(tape.add(c.WidgetGone(key_="a", version=2), partition=0)))

    assert await db.fetchval("SELECT body FROM read_widgets.dead_letter") is None


async def test_an_older_state_closes_no_newer_letter(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    bad = tape.add(c.Widget(key_="a", value="poison", version=5), partition=0)
    for _ in range(ATTEMPTS):
        await b.poller.run(polled(bad))

    await b.poller.run(polled(tape.add(c.Widget(key_="a", value="old", version=4), partition=0)))

    assert await db.fetchval("SELECT state FROM read_widgets.dead_letter") == "open"


async def test_every_handler_run_twice_changes_nothing(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    records = [
        tape.add(c.Widget(key_="a", value="1", version=1), partition=0),
        tape.add(c.Widget(key_="b", value="2", version=1), partition=0),
        tape.add(c.WidgetGone(key_="b", version=2), partition=0),
    ]
    await b.poller.run(polled(*records))
    once = await shown(db)

    await db.execute("UPDATE read_widgets.position SET next_offset = 0")
    b.poller.expected = dict.fromkeys(b.poller.expected, 0)
    await b.poller.run(polled(*records))

    assert await shown(db) == once == [("a", "1", 1)]
