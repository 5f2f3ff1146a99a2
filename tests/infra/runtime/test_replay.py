"""Marked dead letters are replayed in order, past the inbox, and their decisions overwritten."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from infra.runtime import Batch, Db, inbox, ledger, letters
from infra.runtime.poll import ATTEMPTS
from infra.runtime.records import Dead
from infra.runtime.replay import Replay
from tests.infra.runtime.parked import MakeBench, mark, numbers, owning, parked, statuses, told
from tests.infra.runtime.test_failures import until_applied
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled, projection


@pytest.fixture
def c() -> Contract:
    return contract("replay", partitions=2)


async def test_a_planted_bug_is_mended_and_everything_is_whole_again(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    _, tape = await parked(bench, c, "well", "bug", "after", "after that")
    inbox = await db.fetch("SELECT message_id FROM inbox ORDER BY 1")
    assert await statuses(db) == ["decided", "parked", "parked", "parked"]
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db)

    done = await Replay(mended.poller).run_due()

    assert done == 3
    assert await numbers(db) == [0, 1, 2, 3]
    assert await statuses(db) == ["decided"] * 4
    assert await db.fetchval("SELECT array_agg(events) FROM decision") == [1, 1, 1, 1]
    sequences = [
        int(row["s"]) for row in await db.fetch("SELECT headers->>'ce_sequence' s FROM outbox ORDER BY id")
    ]
    assert sequences == [1, 2, 3, 4]
    assert await db.fetch("SELECT message_id FROM inbox ORDER BY 1") == inbox
    assert [(state, closed) for _, state, _, closed in await told(db)] == [("closed", True)] * 3
    assert await db.fetchval("SELECT count(body) FROM dead_letter") == 0

    new = tape.add(c.Put(key_="a", owner=OWNER, value="new", n=9), partition=0)
    await mended.poller.run(polled(new))

    assert await numbers(db) == [0, 1, 2, 3, 9], "the key is parked no more"


async def test_the_position_stays_where_it_is(bench: MakeBench, db: Db, c: Contract) -> None:
    await parked(bench, c, "bug", "after")
    mended = await owning(bench, decider(c), c.commands.name)
    before = await db.fetchrow("SELECT next_offset, applied_at FROM position WHERE partition = 0")
    await mark(db)

    await Replay(mended.poller).run_due()

    assert await db.fetchrow("SELECT next_offset, applied_at FROM position WHERE partition = 0") == before


async def test_a_letter_keeps_the_time_and_the_id_of_its_record(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    _, tape = await parked(bench, c, "bug")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db)

    await Replay(mended.poller).run_due()

    assert await db.fetchval("SELECT command_id FROM decision") == UUID(int=0, version=4)
    event = await db.fetchrow("SELECT cause, headers->>'ce_time' AS time FROM outbox")
    assert event is not None
    assert (event["cause"], datetime.fromisoformat(event["time"])) == (UUID(int=0, version=4), tape.at)


async def test_what_is_replayed_is_decided_now_so_that_its_sender_finds_the_answer(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    await parked(bench, c, "bug", "after")
    mended = await owning(bench, decider(c), c.commands.name)
    await db.execute("UPDATE dead_letter SET appended_at = now() - interval '30 days'")
    await db.execute("UPDATE decision SET at = now() - interval '30 days'")
    await mark(db, 0)
    await mark(db, 1, state="drop")

    await Replay(mended.poller).run_due()
    await ledger.prune(db)

    assert await statuses(db) == ["decided", "failed"]


async def test_a_repeat_of_a_replayed_command_has_no_second_effect(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    _, tape = await parked(bench, c, "bug")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db)
    await Replay(mended.poller).run_due()

    again = c.Put(key_="a", owner=OWNER, value="bug")
    await mended.poller.run(polled(tape.add(again, partition=0, id=UUID(int=0, version=4))))
    await mark(db)
    await Replay(mended.poller).run_due()

    assert await numbers(db) == [0]


async def test_a_replayed_id_is_remembered_as_long_as_a_new_one(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    await parked(bench, c, "bug")
    await db.execute("UPDATE inbox SET touched_at = now() - interval '30 days'")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db)

    await Replay(mended.poller).run_due()
    await inbox.prune(db, "widgets")

    assert await db.fetchval("SELECT count(*) FROM inbox") == 1


async def test_a_letter_whose_id_can_be_read_by_now_is_no_second_effect_of_a_repeat(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    mended, tape = await owning(bench, decider(c), c.commands.name), Tape.of(c.commands)
    message, ids = c.Put(key_="a", owner=OWNER, n=1), (UUID(int=1, version=4), UUID(int=2, version=4))
    await mended.poller.run(polled(tape.add(message, partition=0, id=ids[0])))
    unread = [Dead(tape.add(message, partition=1, id=id), "a", None, "bad_envelope", "") for id in ids]
    await letters.insert(db, "widgets", unread)
    await mark(db)

    assert await Replay(mended.poller).run_due() == 2

    assert await numbers(db) == [1, 1], "the second id was new, the first a repeat"


async def test_a_letter_waits_for_an_earlier_one_of_its_key_that_nobody_marked(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    await parked(bench, c, "bug", "after")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db, 1)

    assert await Replay(mended.poller).run_due() == 0
    assert await told(db) == [(0, "open", ATTEMPTS, False), (1, "replay", 1, False)]

    await mark(db, 0)
    assert await Replay(mended.poller).run_due() == 2
    assert await numbers(db) == [0, 1]


async def test_a_key_stays_parked_until_its_last_letter_is_closed(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    _, tape = await parked(bench, c, "bug", "after")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db, 0)
    await Replay(mended.poller).run_due()

    await mended.poller.run(
        polled(
            tape.add(c.Put(key_="a", owner=OWNER, value="new", n=2), partition=0, id=UUID(int=2, version=4))
        )
    )

    assert await numbers(db) == [0]
    assert await statuses(db) == ["decided", "parked", "parked"]


async def test_a_refusal_is_an_answer_like_any_other(bench: MakeBench, db: Db, c: Contract) -> None:
    await parked(bench, c, "bug", "no", "same")
    mended = await owning(bench, decider(c), c.commands.name)
    await mark(db)

    await Replay(mended.poller).run_due()

    assert await statuses(db) == ["decided", "refused", "unchanged"]


async def test_a_projection_replays_by_version_and_waits_for_no_earlier_letter(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    broken, tape = projection(c), Tape.of(c.events)
    b = await owning(bench, broken, c.events.name)
    for version, value in ((1, "poison"), (2, "poison")):
        bad = tape.add(c.Widget(key_="a", value=value, version=version), partition=0)
        await until_applied(b, [bad])
    await until_applied(b, [tape.add(c.Widget(key_="b", value="poison", version=1), partition=0)])
    mended = projection(c)
    mended.handlers["Widget"] = replace(mended.handlers["Widget"], function=show_anything)
    b = await owning(bench, mended, c.events.name)
    await mark(db, 1, 2, schema="read_widgets")

    await Replay(b.poller).run_due()

    shown = await db.fetch("SELECT key, version FROM read_widgets.widget ORDER BY key")
    assert [tuple(row) for row in shown] == [("a", 2), ("b", 1)]
    states = await db.fetch("SELECT state FROM read_widgets.dead_letter ORDER BY record_offset")
    assert [row["state"] for row in states] == ["closed", "closed", "closed"], (
        "a newer state closes older ones"
    )


async def show_anything(batch: Batch[Any], db: Db) -> None:
    """The projection's handler without its bug."""
    await db.executemany(
        "INSERT INTO widget VALUES ($1, $2, $3)"
        " ON CONFLICT (key) DO UPDATE SET version = $3 WHERE $3 > widget.version",
        [(item.message.key_, item.message.value, item.message.version) for item in batch],
    )
