"""Hostile and unknown records on the wire: one dead letter each with its reason; neighbours go on."""

import gzip
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from infra.runtime import letters
from infra.runtime.running import RunningGroup
from schemas.topics import MAX_BODY
from tests.infra.runtime.kafka.stage import Header, Stage, deciding, has, showing, until
from tests.infra.runtime.kafka.wire import batch, produce, sealed, zstandard
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract

pytestmark = pytest.mark.usefixtures("impatient")

PUT: Header = ("ce_type", b"Put")
ACTOR: Header = ("ce_actor", str(OWNER).encode())


def ident() -> Header:
    return ("ce_id", str(uuid4()).encode())


def hostile(body: bytes) -> list[tuple[bytes | None, bytes | None, list[Header], str]]:
    """Key, value and headers of records that are no commands, and why."""
    return [
        (b"h0", body, [ident(), PUT, ("x", b"\xff")], "undecodable_headers"),
        (b"h1", body, [ident(), PUT, ("x", None)], "undecodable_headers"),
        (b"\xff", body, [ident(), PUT], "undecodable_key"),
        (b"h3", body, [], "no_type"),
        (b"h4", body, [ident()], "no_type"),
        (b"h5", body, [PUT], "bad_envelope"),
        (None, body, [ident(), PUT], "no_key"),
        (b"h7", None, [ident(), PUT], "invalid_body"),
        (b"h8", b"x" * (MAX_BODY + 40_000), [ident(), PUT], "oversize"),
        (b"h9", body, [ident(), PUT, ("ce_type", b"")], "no_type"),
        (b"h10", body, [ident(), PUT, ("ce_subject", b"a\x00b")], "undecodable_headers"),
        (b"a\x00b", body, [ident(), PUT], "undecodable_key"),
    ]


async def test_each_hostile_record_is_one_dead_letter_and_its_neighbours_are_handled(stage: Stage) -> None:
    c = contract("hostile", partitions=2)  # on one, the circuit would open
    await stage.make(c.commands, **{"max.message.bytes": str(2**20)})
    body = c.Put(key_="a", owner=OWNER).body()
    records = hostile(body)
    for number, (key, value, headers, _) in enumerate(records):
        await stage.send(c.Put(key_=f"good{number % 2}", owner=OWNER, n=number), partition=number % 2)
        await stage.wire(c.commands.name, number % 2, key, value, headers)

    async with stage.running(deciding(c)):
        await until(has(stage, "dead_letter", len(records)), "each has its letter")
        await stage.send(c.Put(key_="good0", owner=OWNER, n=len(records)), partition=0)
        await until(
            has(stage, "decision WHERE status = 'decided'", len(records) + 1), "neighbours are decided"
        )

    rows = await stage.db.fetch("SELECT record_offset, reason FROM dead_letter ORDER BY 1, partition")
    assert [row["reason"] for row in rows] == [reason for *_, reason in records]
    assert [row["record_offset"] for row in rows[::2]] == list(range(1, len(records), 2))
    assert await stage.numbers("good0") == list(range(0, len(records) + 1, 2))
    assert await stage.numbers("good1") == list(range(1, len(records), 2))


async def test_a_dead_letter_that_cannot_be_kept_stops_its_partition_alone_until_it_can(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = contract("unkept", partitions=2)
    await stage.make(c.commands)
    await stage.wire(c.commands.name, 0, b"h0", b"no command")
    await stage.send(c.Put(key_="a", owner=OWNER, n=1), partition=0)

    async def fail(*arguments: Any) -> None:
        raise LookupError("a defect in keeping it")

    with monkeypatch.context() as patch:
        patch.setattr(letters, "insert", fail)
        async with stage.running(deciding(c)) as run:

            async def stopped() -> bool:
                return "cannot be set aside" in await stage.stopped(c.commands.name)

            await until(stopped, "its partition stops")
            await stage.send(c.Put(key_="b", owner=OWNER, n=1), partition=1)
            await until(has(stage, "decision", 1), "the other one goes on")
            assert "cannot be set aside" in (run.entrance.reason_not_ready() or "")
            patch.undo()
            await until(has(stage, "decision", 2), "it goes on by itself")

    assert await stage.count("dead_letter") == 1


async def test_of_two_headers_of_a_name_the_last_counts(stage: Stage) -> None:
    c = contract("twice", partitions=1)
    await stage.make(c.commands)
    id, record = uuid4(), Tape.of(c.commands).add(c.Put(key_="a", owner=OWNER))
    await stage.wire(
        c.commands.name, 0, record.key, record.value, [*record.headers, ("ce_id", str(id).encode())]
    )

    async with stage.running(deciding(c)):
        await until(has(stage, "decision", 1), "it is decided")

    assert await stage.db.fetchval("SELECT command_id FROM decision") == id


async def test_a_compressed_batch_is_read_like_any_other(stage: Stage) -> None:
    c = contract("gzip", partitions=1)
    await stage.make(c.commands)
    async with AIOKafkaProducer(bootstrap_servers=stage.settings.kafka, compression_type="gzip") as packing:
        stage.producer = packing
        for n in range(3):
            await stage.send(c.Put(key_="a", owner=OWNER, n=n, value="z" * 10_000))

    async with stage.running(deciding(c)):
        await until(has(stage, "decision", 3), "all are decided")

    assert await stage.numbers("a") == [0, 1, 2]
    assert len(gzip.compress(b"z" * 10_000)) < 100


@pytest.mark.parametrize("kind", ["codec", "header name"])
async def test_a_batch_that_cannot_be_read_stops_its_partition_and_loses_nothing_of_others(
    stage: Stage, kind: str
) -> None:
    c = contract("unreadable", partitions=4)
    await stage.make(c.events)  # a topic with holes: what is lost there would leave no trace
    for number in range(40):
        await stage.send(c.Widget(key_=f"k{number}", value="v", version=1), partition=number % 3)
    await stage.send(c.Widget(key_="before", value="v", version=1), partition=3)
    await produce(stage, TopicPartition(c.events.name, 3), unreadable(c, kind))

    async with stage.running(showing(c)) as run:

        async def all_shown() -> bool:
            return await stage.count("read_widgets.widget WHERE key LIKE 'k%'") == 40

        await until(all_shown, "all records of the other partitions are shown")
        await until(lambda: stands(stage, c, 3, "cannot be read"), "its own partition stops")
        await stage.send(c.Widget(key_="k0", value="w", version=2), partition=0)

        async def goes_on() -> bool:
            return await stage.count("read_widgets.widget WHERE value = 'w'") == 1

        await until(goes_on, "the others go on")
        assert "cannot be read" in (run.entrance.reason_not_ready() or "")
        assert run.failed() is None


def unreadable(c: Contract, kind: str) -> bytes:
    """A batch that the broker takes and aiokafka does not."""
    record = Tape.of(c.events).add(c.Widget(key_="bad", value="v", version=1), partition=3)
    if kind == "codec":
        return zstandard(batch((record.key, record.value, list(record.headers))))
    made = batch((record.key, record.value, [*record.headers, ("name", b"x")]))
    return sealed(made.replace(b"name", b"\xff\xfe\xfd\xfc"))


async def stands(stage: Stage, c: Contract, partition: int, why: str) -> bool:
    return why in await stage.stopped(c.events.name, partition, "read_widgets")


async def test_an_unknown_type_stops_its_partition_until_code_that_knows_it_comes(stage: Stage) -> None:
    c = contract("unknown", partitions=2)
    await stage.make(c.commands)
    older = deciding(c)
    del older.handlers["Drop"]
    await stage.send(c.Put(key_="a", owner=OWNER, n=1), partition=0)
    await stage.send(c.Drop(key_="a", owner=OWNER), partition=0)
    await stage.send(c.Put(key_="a", owner=OWNER, n=2), partition=0)

    async with stage.running(older) as run:

        async def stopped() -> bool:
            return "unknown type Drop at offset 1" in await stage.stopped(c.commands.name)

        await until(stopped, "the partition stops")
        for n in range(5):
            await stage.send(c.Put(key_="b", owner=OWNER, n=n), partition=1)
        await until(has(stage, "decision", 6), "the other one goes on")
        await stays_stopped(stage, run, c)
        assert await stage.numbers("a") == [1]

    async with stage.running(deciding(c)) as run:
        await until(has(stage, "decision", 8), "newer code goes on")

        async def ready() -> bool:
            return run.entrance.reason_not_ready() is None and not await stage.stopped(c.commands.name)

        await until(ready, "the alarm is over")

    assert await stage.numbers("a") == [2]


async def stays_stopped(stage: Stage, run: RunningGroup, c: Contract) -> None:
    """It is tried again meanwhile, and never looks as if it went on."""
    place = TopicPartition(c.commands.name, 0)
    tried: list[float] = []

    async def tried_again() -> bool:
        assert "unknown type" in await stage.stopped(c.commands.name)
        assert "unknown type" in (run.entrance.reason_not_ready() or "")
        until_ = run.entrance.pauses.waiting[place].until if place in run.entrance.pauses.waiting else 0.0
        if until_ not in tried:
            tried.append(until_)
        return len([each for each in tried if each]) >= 2

    await until(tried_again, "it is tried again")


async def test_an_ignored_type_is_passed_over(stage: Stage) -> None:
    c = contract("ignored", partitions=1)
    await stage.make(c.commands)
    group = deciding(c)
    del group.handlers["Drop"]
    group.ignores = frozenset({"Drop"})
    await stage.send(c.Put(key_="a", owner=OWNER, n=1))
    await stage.send(c.Drop(key_="a", owner=OWNER))
    await stage.send(c.Put(key_="a", owner=OWNER, n=2))

    async with stage.running(group):
        await until(has(stage, "decision", 2), "the others are decided")

    assert await stage.numbers("a") == [1, 2]
    assert await stage.position(c.commands.name) == 3
