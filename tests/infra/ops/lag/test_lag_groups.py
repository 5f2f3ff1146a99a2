"""Lag tells who is in each group and holds what, and which effects wait, run or were given up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from rich.console import Console

from infra.ops.lag_model import next_try, topics_of
from infra.ops.lag_reading import look
from infra.ops.lag_table import screen
from schemas.topics import PICK_EVENTS, THING_EVENTS
from tests.infra.ops.lag.world import World, run
from tests.infra.runtime.kafka.stage import until

READ = (PICK_EVENTS.name, THING_EVENTS.name)


@asynccontextmanager
async def reading_things(world: World, members: int) -> AsyncIterator[list[AIOKafkaConsumer]]:
    """So many members of `read_things`, which share its partitions."""
    consumers = [
        AIOKafkaConsumer(*READ, bootstrap_servers=world.settings.kafka, group_id="read_things",
                         enable_auto_commit=False, heartbeat_interval_ms=200,
                         partition_assignment_strategy=(RangePartitionAssignor,))
        for _ in range(members)
    ]  # fmt: skip

    async def shared_out() -> bool:
        return all(len(consumer.assignment()) == 24 // members for consumer in consumers)

    await asyncio.gather(*(consumer.start() for consumer in consumers))
    try:
        await until(shared_out, "everything shared out")
        yield consumers
    finally:
        await asyncio.gather(*(consumer.stop() for consumer in consumers))


async def owned(world: World, consumer: AIOKafkaConsumer, owner: str) -> None:
    """A process called `owner` has moved what the consumer holds."""
    for place in consumer.assignment():
        await world.db.execute(
            "UPDATE read_things.position SET owner = $1 WHERE topic = $2 AND partition = $3", owner, *place
        )


async def test_members_are_shown_with_what_they_hold_and_the_process_that_works_there(world: World) -> None:
    async with reading_things(world, 2) as consumers:
        for number, consumer in enumerate(consumers):
            await owned(world, consumer, f"here/{number}")
        report = await look(world.settings)
        _, shown = await run(world.settings, "infra.ops.lag")
        _, told = await run(world.settings, "infra.ops.lag", "--json")

    group = report.memberships["read_things"]
    assert group.state == "Stable"
    assert sorted(len(member.holds) for member in group.members) == [12, 12]
    (read_things,) = [each for each in json.loads(told)["groups"] if each["group"] == "read_things"]
    assert {tuple(m["processes"]) for m in read_things["membership"]["members"]} == {("here/0",), ("here/1",)}
    held = [m["holds"]["pick.events"] for m in read_things["membership"]["members"]]
    assert sorted(held) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert "pick.events 0-5; thing.events 0-5" in shown
    assert "pick.events 6-11; thing.events 6-11" in shown


async def test_a_group_without_members_is_shown_as_empty(world: World) -> None:
    report = await look(world.settings)
    _, shown = await run(world.settings, "infra.ops.lag")

    assert report.memberships["social"].members == []
    assert report.memberships["social"].state in ("Empty", "Dead")
    assert "nobody" in shown


async def effect(world: World, kind: str, decided: datetime, **columns: object) -> None:
    """An effect of `social`, with the inbox row of the message that caused it."""
    cause: UUID = uuid4()
    await world.db.execute("INSERT INTO social.inbox VALUES ('social', $1, $2)", cause, decided)
    await world.db.execute(
        "INSERT INTO social.effect"
        " (id, group_name, kind, payload, cause, attempts, due_at, leased_until, dead_at)"
        " VALUES ($1, 'social', $2, '{\"to\": \"ana@example.org\"}', $3, $4, $5, $6, $7)",
        uuid4(), kind, cause, columns.get("attempts", 0), columns.get("due_at", decided),
        columns.get("leased_until"), columns.get("dead_at"),
    )  # fmt: skip


async def test_effects_are_counted_by_kind_with_the_age_of_the_oldest_and_the_next_try(world: World) -> None:
    now = datetime.now(UTC)
    later, old = now + timedelta(minutes=9), now - timedelta(hours=1)
    await effect(world, "mail", old, attempts=4, due_at=later)
    await effect(world, "mail", now, leased_until=later, due_at=later)
    await effect(world, "mail", old - timedelta(hours=1), dead_at=now, attempts=8)
    await effect(world, "push", now)

    report = await look(world.settings)
    _, shown = await run(world.settings, "infra.ops.lag")
    _, told = await run(world.settings, "infra.ops.lag", "--json")

    counts = {e.kind: (e.waiting, e.running, e.dead, e.most_attempts) for e in report.effects}
    assert counts == {"mail": (2, 1, 1, 4), "push": (1, 0, 0, 0)}
    mail, push = report.effects
    assert mail.oldest_at == old
    assert next_try(mail, report.at) == pytest.approx((later - report.at).total_seconds(), abs=0.01)
    assert next_try(push, report.at) == 0.0
    assert [each["kind"] for each in json.loads(told)["effects"]] == ["mail", "push"]
    assert "social mail" in shown
    assert "example.org" not in shown + told


async def test_what_was_given_up_neither_waits_nor_is_due(world: World) -> None:
    now = datetime.now(UTC)
    await effect(world, "mail", now, dead_at=now)

    (mail,) = (await look(world.settings)).effects

    assert (mail.waiting, mail.dead, next_try(mail, now)) == (0, 1, None)


async def test_names_and_columns_are_whole_in_a_terminal_of_80_columns(world: World) -> None:
    report = await look(world.settings)
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(screen(report))
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO from above

    assert "…" not in shown
    assert all(name in shown for group, parts in report.groups() for name in (group, *dict(topics_of(parts))))
