"""Rebuilds that heal what stands still, that are interrupted, and that meet another."""

import signal
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition

from schemas import ids
from schemas.topics import PICK_EVENTS
from tests.given import SOLARIS, published
from tests.infra.ops.rebuild.world import World, ended, until
from tests.infra.runtime.widgets import Tape

NEXT = "SELECT 1 FROM pg_namespace WHERE nspname = 'read_picks_next'"
BUILDERS = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'read_picks/read_picks_next'"


async def hole(world: World) -> tuple[TopicPartition, int]:
    """Put a record into a log that is never committed; where it would be."""
    record = Tape.of(PICK_EVENTS).add(published(ids.account_id("never"), SOLARIS))
    async with AIOKafkaProducer(
        bootstrap_servers=world.settings.kafka, transactional_id=str(uuid4())
    ) as relay:
        await relay.begin_transaction()
        told = await relay.send_and_wait(
            record.topic, record.value, key=record.key, partition=record.partition
        )
        await relay.abort_transaction()
    return record.place, told.offset


async def stale(world: World, place: TopicPartition, offset: int) -> None:
    """The projection has last applied something there ten days ago, right before the hole at the offset."""
    await world.shown("read_picks")
    await world.db.execute(
        "UPDATE read_picks.position SET next_offset = $3, applied_at = now() - interval '10 days'"
        " WHERE topic = $1 AND partition = $2",
        *place,
        offset,
    )
    stopped = "SELECT 1 FROM read_picks.position WHERE stopped LIKE 'stale:%'"
    await until(lambda: world.rows(stopped), "it stands still")


async def test_a_projection_that_stands_still_because_it_is_stale_is_healed(world: World) -> None:
    # given
    missed = ids.pick_id(ids.account_id("missed"), ids.thing_id(SOLARIS.ref))
    await world.send(*(published(ids.account_id(f"stale{n}"), SOLARIS) for n in range(40)))
    await stale(world, *await hole(world))
    await world.db.execute(
        "INSERT INTO read_picks.pick SELECT $1, author_id, thing_id, 1, picked_at, published_at, NULL, body"
        " FROM read_picks.pick LIMIT 1",
        missed,
    )
    # when
    dry = await world.rebuild("picks", "--dry-run", "--json")
    ran = await world.rebuild("picks", "--json")
    # then
    assert (dry.code, ran.code) == (1, 0), ran
    assert dry.table("pick")["examples"][0] == {
        "kind": "extra",
        "key": {"pick_id": str(missed)},
        "columns": [],
    }
    assert [reason.split(":")[0] for reason in ran.report["stopped"]] == ["stale"]
    assert list(ran.report["behind"].values()) == [2]
    await world.send(published(ids.account_id("later"), SOLARIS))
    await world.shown()
    assert not await world.rows("SELECT 1 FROM mesh.positions WHERE stopped IS NOT NULL")
    await until(lambda: ready(world), "the process says that it is ready")
    assert (await world.rebuild("picks", "--dry-run")).code == 0


async def ready(world: World) -> bool:
    return world.stack.ready("read_picks")


async def test_killed_it_leaves_a_shadow_that_the_next_one_removes(world: World) -> None:
    await world.send(published())
    await world.shown()
    process = await world.start("picks")
    await until(lambda: world.rows(BUILDERS), "it builds")

    process.kill()
    await ended(process)
    left = await world.rows(NEXT)
    again = await world.rebuild("picks", "--json")

    assert left
    assert again.code == 0, again
    assert again.report["equal"]
    assert not await world.rows(NEXT)


async def test_interrupted_it_clears_up_and_the_live_one_is_as_it_was(world: World) -> None:
    before = await world.rows("SELECT oid FROM pg_namespace WHERE nspname = 'read_picks'")
    process = await world.start("picks")
    await until(lambda: world.rows(NEXT), "it has begun")

    process.send_signal(signal.SIGTERM)
    ran = await ended(process)

    assert (ran.code, ran.err) == (130, "rebuild: interrupted; the live read model is as it was\n")
    assert not await world.rows(NEXT)
    assert not await world.rows(BUILDERS)
    assert await world.rows("SELECT oid FROM pg_namespace WHERE nspname = 'read_picks'") == before


async def test_of_two_at_once_the_second_says_who_holds_it(world: World) -> None:
    first = await world.start("picks", "--dry-run")
    await until(lambda: world.rows(NEXT), "it has begun")
    first.send_signal(signal.SIGSTOP)

    second = await world.rebuild("read_picks")
    other = await world.rebuild("things", "--dry-run")
    first.send_signal(signal.SIGCONT)

    assert second.code == 1
    assert "read_picks is being rebuilt already: pickly-rebuild by " in second.err
    assert f"pid {first.pid}, since 20" in second.err
    assert (other.code, (await ended(first)).code) == (0, 0)


async def test_a_schema_that_was_migrated_meanwhile_is_not_replaced(world: World) -> None:
    process = await world.start("things")
    await until(lambda: world.rows(NEXT.replace("picks", "things")), "it has begun")
    await world.db.execute("INSERT INTO read_things.migration VALUES ('read_things/0099_more.sql', '')")

    ran = await ended(process)
    await world.db.execute("DELETE FROM read_things.migration WHERE name LIKE '%0099%'")

    assert ran.code == 1
    assert "read_things was migrated meanwhile (read_things/0099_more.sql)" in ran.err
