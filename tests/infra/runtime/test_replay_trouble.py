"""What fails again, what is dropped, and who may replay: the fence, outages, the circuit."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from infra.runtime import Db, letters, replay
from infra.runtime.fates import OutageError
from infra.runtime.poll import ATTEMPTS
from infra.runtime.records import Record
from infra.runtime.replay import Replay
from schemas.envelope import Meta
from tests.infra.runtime.parked import MakeBench, buggy, mark, numbers, owning, parked, statuses, told
from tests.infra.runtime.test_failures import until_applied
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled


@pytest.fixture
def c() -> Contract:
    return contract("replay", partitions=2)


async def test_a_letter_that_fails_again_stays_open_and_holds_up_its_key_alone(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await parked(bench, c, "bug", "after")
    other = tape.add(c.Put(key_="b", owner=OWNER, value="bug b", n=7), partition=0)
    await until_applied(b, [other])
    half = await owning(bench, buggy(c, fails=lambda value: value == "bug"), c.commands.name)
    await mark(db)

    assert await Replay(half.poller).run_due() == 2

    assert await told(db) == [
        (0, "open", ATTEMPTS + 1, False),
        (1, "replay", 1, False),
        (2, "closed", ATTEMPTS, True),
    ]
    assert await numbers(db) == []
    assert await numbers(db, "b") == [7]
    assert await Replay(half.poller).run_due() == 0, "it is not tried again by itself"


async def test_what_was_dropped_has_failed_and_its_followers_stay(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    await parked(bench, c, "bug", "after")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db, 0, state="drop")

    assert await Replay(mended.poller).run_due() == 1

    rows = await db.fetch("SELECT status, reason FROM decision ORDER BY command_id")
    assert [tuple(row) for row in rows] == [("failed", "dropped"), ("parked", None)]
    assert await told(db) == [(0, "dropped", ATTEMPTS, True), (1, "open", 1, False)]

    await mark(db, 1)
    await Replay(mended.poller).run_due()
    assert await numbers(db) == [1]
    assert await statuses(db) == ["failed", "decided"]


@pytest.mark.parametrize("state", ["replay", "drop"])
async def test_a_decision_that_stands_is_overwritten_by_nothing(
    bench: MakeBench, db: Db, c: Contract, state: str
) -> None:
    await parked(bench, c, "bug")
    await db.execute("UPDATE decision SET status = 'refused'")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db, state=state)

    assert await Replay(mended.poller).run_due() == 1

    assert await statuses(db) == ["refused"]


async def test_letters_that_wait_hold_up_no_other_key(
    bench: MakeBench, db: Db, c: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "PAGE", 1)
    b, tape = await parked(bench, c, "bug", "after")
    await until_applied(b, [tape.add(c.Put(key_="b", owner=OWNER, value="bug b", n=7), partition=0)])
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db, 1, 2)

    assert await Replay(mended.poller).run_due() == 1

    assert await numbers(db, "b") == [7]


async def test_of_two_owners_only_the_one_at_the_position_replays(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    await parked(bench, c, "bug")
    late = await owning(bench, decider(c), c.commands.name)
    await db.execute("UPDATE position SET next_offset = next_offset + 1 WHERE partition = 0")
    await mark(db)

    assert await Replay(late.poller).run_due() == 0

    assert await numbers(db) == []
    assert await told(db) == [(0, "replay", ATTEMPTS, False)]


async def test_partitions_of_others_are_left_to_them(bench: MakeBench, db: Db, c: Contract) -> None:
    await parked(bench, c, "bug")
    mended = await owning(bench, decider(c), c.commands.name)
    del mended.poller.expected[TopicPartition(c.commands.name, 0)]
    await mark(db)

    assert await Replay(mended.poller).run_due() == 0
    assert await told(db) == [(0, "replay", ATTEMPTS, False)]


async def test_an_outage_leaves_letters_marked_and_holds_up_no_other_partition(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    b, tape = await parked(bench, c, "bug")
    await until_applied(b, [tape.add(c.Put(key_="b", owner=OWNER, value="bug b", n=5), partition=1)])
    group, away = decider(c), True
    put = group.handlers["Put"].function

    async def failing(message: Any, meta: Meta, connection: Db) -> Any:
        if away and message.key_ == "a":
            raise OutageError("storage is away")
        return await put(message, meta, connection)

    group.handlers["Put"] = replace(group.handlers["Put"], function=failing)
    mended = await owning(bench, group, c.commands.name)
    await mark(db)

    assert await Replay(mended.poller).run_due() == 1
    assert await numbers(db, "b") == [5]
    away = False
    assert await Replay(mended.poller).run_due() == 1
    assert await numbers(db) == [0]


async def test_closed_letters_close_the_circuit(bench: MakeBench, db: Db, c: Contract) -> None:
    b, tape = await parked(bench, c, "well")
    place = TopicPartition(c.commands.name, 0)
    bad: list[Record] = []
    for n in range(letters.IN_A_ROW):
        bad.append(tape.add(c.Put(key_=f"k{n}", owner=OWNER, value="bug"), partition=0))
        await until_applied(b, [bad[-1]])
    assert await letters.circuit(db, "widgets", place, bad[-1].offset) is not None
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db)

    assert await Replay(mended.poller).run_due() == letters.IN_A_ROW

    assert await letters.circuit(db, "widgets", place, bad[-1].offset) is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [([("ce_type", b"Put"), ("x", b"\xff")], "undecodable_headers"), ([], "no_type")],
)
async def test_what_is_no_message_fails_again_and_can_be_dropped(
    bench: MakeBench, db: Db, c: Contract, headers: list[tuple[str, bytes]], reason: str
) -> None:
    mended, tape = await owning(bench, decider(c), c.commands.name), Tape.of(c.commands)
    body = c.Put(key_="a", owner=OWNER).body()
    await mended.poller.run(polled(tape.raw(b"a", body, [("ce_id", str(uuid4()).encode()), *headers], 0)))
    await mark(db)

    await Replay(mended.poller).run_due()
    assert await told(db) == [(0, "open", 2, False)]
    assert await db.fetchval("SELECT reason FROM dead_letter") == reason

    await mark(db, state="drop")
    await Replay(mended.poller).run_due()
    assert await told(db) == [(0, "dropped", 2, True)]
    assert await statuses(db) == []
