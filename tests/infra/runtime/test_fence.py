"""The fence: only the owner of a position may commit, and nothing is applied twice or skipped."""

from collections.abc import Callable

import pytest
from aiokafka import TopicPartition

from infra.runtime import Db
from infra.runtime.poll import APPLIED
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled, projection

MakeBench = Callable[..., Bench]


@pytest.fixture
def c() -> Contract:
    return contract("fence", partitions=2)


async def test_of_two_owners_only_one_commits(bench: MakeBench, db: Db, c: Contract) -> None:
    frozen, successor = bench(decider(c)), bench(decider(c))
    place = TopicPartition(c.commands.name, 0)
    await frozen.own(place)
    await successor.own(place)
    record = Tape.of(c.commands).add(c.Put(key_="a", owner=OWNER, value="1", n=1), partition=0)

    won = await successor.poller.run(polled(record))
    lost = await frozen.poller.run(polled(record))

    assert won[place] == APPLIED
    assert lost[place].trouble == "stale"
    assert await db.fetchval("SELECT numbers FROM widget") == [1]


async def test_one_stale_position_rolls_back_the_whole_poll(bench: MakeBench, db: Db, c: Contract) -> None:
    b = bench(decider(c))
    await b.own(TopicPartition(c.commands.name, 0), TopicPartition(c.commands.name, 1))
    await db.execute("UPDATE position SET next_offset = 7 WHERE partition = 1")
    tape = Tape.of(c.commands)
    first = tape.add(c.Put(key_="a", owner=OWNER, value="1"), partition=0)
    second = tape.add(c.Put(key_="b", owner=OWNER, value="1"), partition=1)

    verdicts = await b.poller.run(polled(first, second))

    assert {verdict.trouble for verdict in verdicts.values()} == {"stale"}
    assert await db.fetchval("SELECT count(*) FROM widget") == 0


async def test_records_below_the_position_are_passed_over(bench: MakeBench, db: Db, c: Contract) -> None:
    b = bench(decider(c))
    place = TopicPartition(c.commands.name, 0)
    await b.own(place)
    tape = Tape.of(c.commands)
    first, second = (tape.add(c.Put(key_="a", owner=OWNER, value="1", n=n), partition=0) for n in (1, 2))
    await b.poller.run(polled(first))

    await b.poller.run(polled(first, second))

    assert await db.fetchval("SELECT numbers FROM widget") == [1, 2]


async def test_a_hole_on_a_topic_without_transactions_stops_the_partition(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b = bench(decider(c))
    await b.own(TopicPartition(c.commands.name, 0))
    tape = Tape(c.commands, {0: 3}, Tape.of(c.commands).at)

    verdicts = await b.poller.run(polled(tape.add(c.Put(key_="a", owner=OWNER, value="1"), partition=0)))

    assert [verdict.trouble for verdict in verdicts.values()] == ["stop"]
    assert await db.fetchval("SELECT next_offset FROM position") == 0


async def test_holes_are_normal_where_a_relay_writes(bench: MakeBench, db: Db, c: Contract) -> None:
    b = bench(projection(c))
    await b.own(TopicPartition(c.events.name, 0))
    tape = Tape(c.events, {0: 3}, Tape.of(c.events).at)

    verdicts = await b.poller.run(polled(tape.add(c.Widget(key_="a", value="1", version=1), partition=0)))

    assert set(verdicts.values()) == {APPLIED}
    assert await db.fetchval("SELECT next_offset FROM read_widgets.position") == 4


async def test_server_side_timeouts_are_set_on_the_connection(bench: MakeBench, c: Contract) -> None:
    b = bench(decider(c))
    async with b.poller.connection.use() as connection:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        values = [await connection.fetchval("SELECT current_setting($1)", name) for name in names]

    assert values == ["3s", "10s", "8s"]
