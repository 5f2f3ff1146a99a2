"""The outbox's connection, alone: its lock, its bell, its bookkeeping, and what its role may not do."""

import asyncio

import asyncpg
import pytest

from producers.outbox import LeadershipLostError, Outbox
from tests.producers.world import PATIENCE, SCHEMA, Event, World, until


async def test_a_commit_of_the_decider_ends_the_waiting(world: World) -> None:
    outbox = await Outbox.connect(world.settings, SCHEMA)
    await outbox.listen()
    assert await outbox.page() == []
    waiting = asyncio.create_task(outbox.wait(PATIENCE))

    await world.post([Event("a")])

    await asyncio.wait_for(waiting, PATIENCE / 2)
    assert len(await outbox.page()) == 1
    await outbox.close()


async def test_rows_that_another_relay_deleted_get_no_places_from_this_one(world: World) -> None:
    mine, others = Event("a"), Event("b")
    await world.post([mine, others])
    outbox = await Outbox.connect(world.settings, SCHEMA)
    rows = await outbox.page()
    await world.connection.execute("DELETE FROM outbox WHERE event_id = $1", others.id)

    with pytest.raises(LeadershipLostError):
        await outbox.settle(rows, [41, 42])
    await outbox.close()

    assert [place[2] for place in (await world.offsets(mine.cause)).values()] == [41]
    assert await world.offsets(others.cause) == {}


async def test_the_lock_is_free_again_when_its_holder_falls_silent(world: World) -> None:
    silent = await Outbox.connect(world.settings, SCHEMA)
    assert await silent.lead()
    successor = await Outbox.connect(world.settings, SCHEMA)
    assert not await successor.lead()

    await until(successor.lead, "the silent holder keeps the lock")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await silent.page()
    await silent.close()
    await successor.close()


async def test_the_lock_stays_with_a_relay_that_waits_for_kafka(world: World) -> None:
    leader = await Outbox.connect(world.settings, SCHEMA)
    assert await leader.lead()

    await leader.hold_while(asyncio.sleep(5), PATIENCE)

    assert await leader.page() == []
    await leader.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO outbox (cause, event_id, topic, partition, key, headers)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 'pick.events', 0, 'k', '{}')",
        "UPDATE outbox SET topic = 'pick.public'",
        "UPDATE decision SET status = 'refused'",
        "DELETE FROM decision",
        "INSERT INTO decision (command_id, type, status, resource, at)"
        " VALUES (gen_random_uuid(), 'x', 'x', 'x', now())",
        "SELECT * FROM inbox",
        "SELECT * FROM dead_letter",
        "SELECT * FROM pick",
        "UPDATE position SET next_offset = 0",
        "CREATE TABLE mine (id int)",
        "SET ROLE curation",
    ],
)
async def test_the_role_relay_is_refused_whatever_is_not_its_work(world: World, statement: str) -> None:
    relay = await asyncpg.connect(world.settings.dsn("relay"), server_settings={"search_path": SCHEMA})
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.execute(statement)
    finally:
        await relay.close()
