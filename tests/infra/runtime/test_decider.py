"""A decider's transaction: each command once, in order per key, with decision and outbox beside the state."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4, uuid5

import orjson
import pytest
from aiokafka import TopicPartition

from infra.partitions import partition_of
from infra.runtime import Db
from infra.runtime.poll import APPLIED
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled, ticking

MakeBench = Callable[..., Bench]


@pytest.fixture
def c() -> Contract:
    return contract("decider")


def places(c: Contract) -> list[TopicPartition]:
    return [TopicPartition(c.commands.name, n) for n in range(c.commands.partitions)]


async def ready(bench: MakeBench, c: Contract, *, many: bool = False) -> tuple[Bench, Tape]:
    made = bench(decider(c, many=many))
    await made.own(*places(c))
    return made, Tape.of(c.commands)


async def test_a_command_leaves_state_decision_and_outbox(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    command = uuid4()
    record = tape.add(c.Put(key_="a", owner=OWNER, value="1"), id=command, body_hash="abc")

    verdicts = await b.poller.run(polled(record))

    assert set(verdicts.values()) == {APPLIED}
    decision = await db.fetchrow("SELECT * FROM decision")
    assert decision is not None
    assert (decision["command_id"], decision["status"], decision["events"]) == (command, "decided", 1)
    assert (decision["resource"], decision["actor"], decision["body_hash"]) == ("widgets/a", OWNER, "abc")
    assert decision["at"] == record.at
    row = await db.fetchrow("SELECT * FROM outbox")
    assert row is not None
    assert row["event_id"] == uuid5(command, "widgets/0")
    assert (row["key"], row["cause"], row["topic"]) == ("a", command, c.events.name)
    assert row["partition"] == partition_of("a", c.events)
    headers = orjson.loads(row["headers"])
    assert headers["ce_type"] == "Widget"
    assert headers["ce_cause"] == headers["ce_correlation"] == str(command)
    assert headers["ce_sequence"] == "1"
    assert headers["ce_actor"] == str(OWNER)
    assert await db.fetchval("SELECT next_offset FROM position WHERE partition = $1", record.partition) == 1


async def test_a_repeat_has_no_second_effect_in_the_same_poll_or_a_later_one(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    command = uuid4()
    put = c.Put(key_="a", owner=OWNER, value="1", n=1)

    await b.poller.run(polled(tape.add(put, id=command), tape.add(put, id=command)))
    await b.poller.run(polled(tape.add(put, id=command, partition=(partition_of("a", c.commands) + 1) % 4)))

    assert await db.fetchval("SELECT numbers FROM widget WHERE key = 'a'") == [1]
    assert await db.fetchval("SELECT count(*) FROM outbox") == 1
    assert await db.fetchval("SELECT count(*) FROM inbox") == 1


@pytest.mark.parametrize("many", [False, True])
async def test_commands_of_a_key_are_handled_in_order(
    bench: MakeBench, db: Db, c: Contract, many: bool
) -> None:
    b, tape = await ready(bench, c, many=many)
    records = []
    for n in range(5):
        records += [tape.add(c.Put(key_=key, owner=OWNER, value=f"v{n}", n=n)) for key in "abc"]
    records.append(tape.add(c.Drop(key_="a", owner=OWNER)))
    records.append(tape.add(c.Put(key_="a", owner=OWNER, value="again", n=9)))

    await b.poller.run(polled(*records))

    assert await db.fetchval("SELECT numbers FROM widget WHERE key = 'b'") == [0, 1, 2, 3, 4]
    assert await db.fetchval("SELECT numbers FROM widget WHERE key = 'a'") == [9]
    rows = await db.fetch("SELECT headers FROM outbox WHERE key = 'a' ORDER BY id")
    assert [int(orjson.loads(row["headers"])["ce_sequence"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_version_never_restarts_after_a_tombstone(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    put, drop = c.Put(key_="a", owner=OWNER, value="1"), c.Drop(key_="a", owner=OWNER)

    for message in (put, drop, put):
        await b.poller.run(polled(tape.add(message)))

    assert await db.fetchval("SELECT sequence FROM gone WHERE key = 'a'") == 2
    assert await db.fetchval("SELECT version FROM widget WHERE key = 'a'") == 3
    bodies = [row["body"] for row in await db.fetch("SELECT body FROM outbox ORDER BY id")]
    assert [body is None for body in bodies] == [False, True, False]


async def test_refusals_and_unchanged_are_decisions_without_events(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    no = tape.add(c.Put(key_="a", owner=OWNER, value="no"))
    same = tape.add(c.Put(key_="b", owner=OWNER, value="same"))

    await b.poller.run(polled(no, same))

    rows = await db.fetch(
        "SELECT status, reason, after IS NOT NULL AS after, events FROM decision ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("refused", "said_no", False, 0), ("unchanged", None, True, 0)]
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_body_whose_author_is_not_the_actor_is_refused(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)

    await b.poller.run(polled(tape.add(c.Put(key_="a", owner=OWNER, value="1"), actor=uuid4())))

    assert await db.fetchval("SELECT reason FROM decision") == "not_the_actor"
    assert await db.fetchval("SELECT count(*) FROM widget") == 0


async def test_a_tick_reaches_the_owner_of_its_partition_once(bench: MakeBench, db: Db, c: Contract) -> None:
    group = decider(c)
    seen = ticking(group)
    b = bench(group)
    await b.own(*places(c))
    tape, id = Tape.of(c.commands), uuid4()
    headers = [("ce_type", b"Tick"), ("ce_id", str(id).encode())]

    await b.poller.run(polled(tape.raw(b"tick/2", b"{}", headers, 2)))
    await b.poller.run(polled(tape.raw(b"tick/2", b"{}", headers, 2)))

    assert [(tick.topic, tick.partition) for tick in seen] == [(c.commands.name, 2)]


async def test_a_tick_that_dies_parks_no_later_tick(bench: MakeBench, db: Db, c: Contract) -> None:
    group = decider(c)
    seen = ticking(group)
    b = bench(group)
    await b.own(*places(c))
    tape = Tape.of(c.commands)
    bad = tape.raw(b"tick/2", b"{}", [*tick_headers(), ("ce_subject", b"poison")], 2)

    for _ in range(5):
        await b.poller.run(polled(bad))
    await b.poller.run(polled(tape.raw(b"tick/2", b"{}", tick_headers(), 2)))

    assert await db.fetchval("SELECT count(*) FROM dead_letter") == 1
    assert len(seen) == 6


def tick_headers() -> list[tuple[str, bytes]]:
    return [("ce_type", b"Tick"), ("ce_id", str(uuid4()).encode())]


async def test_an_effect_is_written_with_an_id_that_a_replay_repeats(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)

    await b.poller.run(polled(tape.add(c.Put(key_="a", owner=OWNER, value="effect"))))

    row = await db.fetchrow("SELECT kind, payload, cause FROM effect")
    assert row is not None
    assert (row["kind"], orjson.loads(row["payload"])) == ("ring", {"key": "a"})


async def test_an_event_on_a_topic_of_another_owner_is_a_defect(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    stranger = replace(c.events, owner="somebody")
    c.Widget.topic = stranger
    b, tape = await ready(bench, c)

    verdicts = await b.poller.run(polled(tape.add(c.Put(key_="a", owner=OWNER, value="1"))))

    assert [v.trouble for v in verdicts.values()] == ["retry"]
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0
