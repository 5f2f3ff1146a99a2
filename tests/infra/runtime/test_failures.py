"""What fails is tried again, cut smaller, waited for, or set aside with its key parked."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition

from infra.runtime import Db
from infra.runtime.decider import Decider
from infra.runtime.fates import Fate, OutageError, fate_of
from infra.runtime.poll import APPLIED, ATTEMPTS
from infra.runtime.records import Record
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled

MakeBench = Callable[..., Bench]


@pytest.fixture
def c() -> Contract:
    return contract("failures", partitions=2)


async def ready(bench: MakeBench, c: Contract, group: Decider | None = None) -> tuple[Bench, Tape]:
    made = bench(group or decider(c))
    await made.own(*(TopicPartition(c.commands.name, n) for n in range(2)))
    return made, Tape.of(c.commands)


async def until_applied(b: Bench, records: list[Record]) -> int:
    """Poll again what is not applied yet, as the intake does after a pause; how often it took."""
    for rounds in range(50):
        left = [record for record in records if record.offset >= b.poller.expected[record.place]]
        if not left:
            return rounds
        await b.poller.run(polled(*left))
    raise AssertionError("never applied")


async def test_a_poisoned_command_is_set_aside_and_its_key_parked_while_others_go_on(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    before = tape.add(c.Put(key_="a", owner=OWNER, value="1", n=1), partition=0)
    poison = tape.add(c.Put(key_="a", owner=OWNER, value="poison"), partition=0)
    behind = tape.add(c.Put(key_="a", owner=OWNER, value="2", n=2), partition=0)
    beside = tape.add(c.Put(key_="b", owner=OWNER, value="3", n=3), partition=0)

    rounds = await until_applied(b, [before, poison, behind, beside])
    later = tape.add(c.Put(key_="a", owner=OWNER, value="4", n=4), partition=0)
    await b.poller.run(polled(later))

    assert rounds == ATTEMPTS
    assert await db.fetchval("SELECT numbers FROM widget WHERE key = 'a'") == [1]
    assert await db.fetchval("SELECT numbers FROM widget WHERE key = 'b'") == [3]
    letters = await db.fetch("SELECT record_offset, reason, attempts, parked FROM dead_letter ORDER BY 1")
    assert [tuple(letter) for letter in letters] == [
        (1, "handler_failed", ATTEMPTS, False),
        (2, "parked", 1, True),
        (4, "parked", 1, True),
    ]
    statuses = await db.fetch("SELECT status, count(*) FROM decision GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in statuses] == [("decided", 2), ("parked", 3)]
    assert await db.fetchval("SELECT count(*) FROM inbox") == 5


async def test_what_follows_in_the_same_poll_on_a_record_that_is_no_message_is_parked_behind_it(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    good = tape.add(c.Put(key_="a", owner=OWNER, value="1", n=1), partition=0)
    broken = replace(good, value=b"{", headers=with_id(good, uuid4()), offset=0)
    behind = [replace(good, headers=with_id(good, uuid4()), offset=n) for n in (1, 2)]

    await b.poller.run(polled(broken, *behind))

    letters = await db.fetch("SELECT record_offset, reason, parked FROM dead_letter ORDER BY 1")
    assert [tuple(letter) for letter in letters] == [
        (0, "invalid_body", False),
        (1, "parked", True),
        (2, "parked", True),
    ]
    assert await db.fetchval("SELECT count(*) FROM widget") == 0
    assert await db.fetchval("SELECT count(*) FROM decision WHERE status = 'parked'") == 3


def with_id(record: Record, id: UUID) -> tuple[tuple[str, bytes | None], ...]:
    """The record's headers, with this id."""
    return tuple(("ce_id", str(id).encode()) if name == "ce_id" else (name, value)
                 for name, value in record.headers)  # fmt: skip


async def test_a_repeat_of_a_parked_command_is_no_second_letter(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    id = uuid4()
    first = tape.add(c.Put(key_="a", owner=OWNER, value="poison"), partition=0, id=id)
    await until_applied(b, [first])

    await b.poller.run(polled(tape.add(c.Put(key_="a", owner=OWNER, value="poison"), partition=0, id=id)))

    assert await db.fetchval("SELECT count(*) FROM dead_letter") == 1


async def test_a_caused_message_over_the_limit_fails_its_command_before_commit(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)

    await until_applied(b, [tape.add(c.Put(key_="a", owner=OWNER, value="big"), partition=0)])

    assert "TooLargeError" in await db.fetchval("SELECT error FROM dead_letter")
    assert await db.fetchval("SELECT count(*) FROM widget") == 0


async def test_an_outage_skips_nothing_and_has_no_limit(bench: MakeBench, db: Db, c: Contract) -> None:
    away = True
    group = decider(c)
    put = group.handlers["Put"].function

    async def failing(message: object, meta: object, connection: Db) -> object:
        if away:
            raise OutageError("storage is away")
        return await put(message, meta, connection)

    object.__setattr__(group.handlers["Put"], "function", failing)
    b, tape = await ready(bench, c, group)
    records = [tape.add(c.Put(key_="a", owner=OWNER, value=str(n), n=n), partition=0) for n in range(3)]

    troubles = set()
    for _ in range(ATTEMPTS * 3):
        troubles |= {verdict.trouble for verdict in (await b.poller.run(polled(*records))).values()}
    assert await db.fetchval("SELECT count(*) FROM dead_letter") == 0
    away = False
    verdicts = await b.poller.run(polled(*records))

    assert troubles == {"outage"}
    assert set(verdicts.values()) == {APPLIED}
    assert await db.fetchval("SELECT numbers FROM widget WHERE key = 'a'") == [0, 1, 2]


async def test_a_statement_timeout_halves_the_batch_until_it_fits(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    sizes: list[int] = []
    group = decider(c, many=True)
    put_many = group.handlers["Put"].function

    async def slow(batch: list[object], connection: Db) -> object:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")
        return await put_many(batch, connection)

    object.__setattr__(group.handlers["Put"], "function", slow)
    b, tape = await ready(bench, c, group)
    records = [tape.add(c.Put(key_=str(n), owner=OWNER, value="1"), partition=0) for n in range(8)]

    verdicts = await b.poller.run(polled(*records))

    assert set(verdicts.values()) == {APPLIED}
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert await db.fetchval("SELECT count(*) FROM widget") == 8


async def test_a_deadlock_is_repeated_at_once(bench: MakeBench, db: Db, c: Contract) -> None:
    losses = iter([asyncpg.DeadlockDetectedError("lost"), asyncpg.SerializationError("lost"), None])
    group = decider(c)
    put = group.handlers["Put"].function

    async def unlucky(message: object, meta: object, connection: Db) -> object:
        if (loss := next(losses)) is not None:
            raise loss
        return await put(message, meta, connection)

    object.__setattr__(group.handlers["Put"], "function", unlucky)
    b, tape = await ready(bench, c, group)

    verdicts = await b.poller.run(polled(tape.add(c.Put(key_="a", owner=OWNER, value="1"), partition=0)))

    assert set(verdicts.values()) == {APPLIED}


async def test_one_partition_that_fails_holds_up_no_other(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await ready(bench, c)
    bad = tape.add(c.Put(key_="a", owner=OWNER, value="poison"), partition=0)
    good = tape.add(c.Put(key_="b", owner=OWNER, value="1"), partition=1)

    verdicts = await b.poller.run(polled(bad, good))

    assert verdicts[bad.place].trouble == "retry"
    assert verdicts[good.place] == APPLIED
    assert await db.fetchval("SELECT key FROM widget") == "b"


async def test_the_circuit_stops_a_partition_when_twenty_in_a_row_die(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    records = [tape.raw(str(n).encode(), b"{}", [], 0) for n in range(25)]

    verdicts = await b.poller.run(polled(*records))

    (verdict,) = verdicts.values()
    assert verdict.trouble == "stop"
    assert "20 records died" in verdict.reason
    assert await db.fetchval("SELECT stopped FROM position WHERE partition = 0") == verdict.reason


async def test_the_circuit_stops_a_partition_when_more_than_one_in_a_hundred_die(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await ready(bench, c)
    troubles = []
    for n in range(11):
        good = tape.add(c.Put(key_=f"g{n}", owner=OWNER, value="1"), partition=0)
        good2 = tape.add(c.Put(key_=f"h{n}", owner=OWNER, value="1"), partition=0)
        verdicts = await b.poller.run(polled(good, good2, tape.raw(f"k{n}".encode(), b"", [], 0)))
        troubles += [verdict.trouble for verdict in verdicts.values()]

    assert troubles == [None] * 10 + ["stop"]


def test_every_failure_has_one_fate() -> None:
    def state(code: str) -> Exception:
        error: Exception = asyncpg.PostgresError.new({"C": code, "M": "x"})
        return error

    outages = [state(code) for code in ("08006", "53300", "57P01", "57P02", "57P03", "57P05")]
    outages += [OSError(), TimeoutError(), OutageError(), asyncpg.InterfaceError("connection is closed")]
    goodbye = "cannot switch to state 12; another operation (2) is in progress"
    outages += [
        asyncpg.InternalClientError(goodbye),
        RuntimeError("unable to perform operation; the handler is closed"),
    ]
    again = [state(code) for code in ("40001", "40P01", "55P03")]
    again.append(asyncpg.InvalidCachedStatementError("cached plan must not change result type"))
    less = [state(code) for code in ("57014", "25P03", "54001")]
    defects = [state("23505"), state("22P02"), ValueError(), KeyError(), asyncpg.DataError("bad argument")]
    defects.append(asyncpg.InterfaceError("cannot perform operation: another operation is in progress"))

    assert {fate_of(error) for error in outages} == {Fate.OUTAGE}
    assert {fate_of(error) for error in again} == {Fate.AGAIN}
    assert {fate_of(error) for error in less} == {Fate.LESS}
    assert {fate_of(error) for error in defects} == {Fate.DEFECT}
