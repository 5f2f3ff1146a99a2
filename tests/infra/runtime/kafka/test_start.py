"""Where a group begins: once at the start of the log, afterwards at its position in Postgres alone."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.runtime.running import RunningGroup
from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.stage import Stage, deciding, group_name, has, until
from tests.infra.runtime.widgets import OWNER, Contract, contract

pytestmark = pytest.mark.usefixtures("impatient")


async def commit_elsewhere(stage: Stage, c: Contract, offsets: dict[int, int]) -> None:
    """Let Kafka's own offsets of the group say something else, as a careless operator would."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stage.settings.kafka, group_id=group_name(c), enable_auto_commit=False
    )
    await consumer.start()
    places = {TopicPartition(c.commands.name, n): offset for n, offset in offsets.items()}
    consumer.assign(list(places))
    await consumer.commit(places)
    await consumer.stop()


async def test_a_new_group_begins_at_the_start_of_the_log(stage: Stage) -> None:
    c = contract("start", partitions=2)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(30)

    async with stage.running(deciding(c)):
        await load.drained()

    await load.check()


async def test_the_start_of_the_log_need_not_be_zero(stage: Stage) -> None:
    c = contract("start", partitions=1)
    await stage.make(c.commands)
    for n in range(5):
        await stage.send(c.Put(key_="a", owner=OWNER, n=n))
    await stage.drop_before(TopicPartition(c.commands.name, 0), 3)

    async with stage.running(deciding(c)):
        await until(has(stage, "decision", 2), "two are decided")

    assert await stage.numbers("a") == [3, 4]
    assert await stage.db.fetchval("SELECT skipped FROM position") == 0


async def test_the_position_counts_whatever_kafka_says(stage: Stage) -> None:
    c = contract("start", partitions=2)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(30)
    async with stage.running(deciding(c)):
        await load.drained()
    await load.send(30)

    await commit_elsewhere(stage, c, {0: 0, 1: 10_000})
    async with stage.running(deciding(c)):
        await load.drained()
    await commit_elsewhere(stage, c, {0: 10_000, 1: 0})
    await load.send(10)
    async with stage.running(deciding(c)):
        await load.drained()

    await load.check()


TABLES = ("position", "widget", "inbox", "decision", "outbox", "gone")


async def test_a_restored_database_is_replayed_from_its_older_position(stage: Stage) -> None:
    c = contract("start", partitions=2)
    await stage.make(c.commands)
    load = Load(stage, c)
    await load.send(30)
    async with stage.running(deciding(c)) as run:
        await load.drained()
        for table in TABLES:
            await stage.db.execute(f"CREATE TABLE public.{table} AS TABLE widgets.{table}")
        await load.send(30)
        await load.drained()

        await restore(stage)
        assert await stage.count("decision") == 30
        await load.send(1)
        await load.drained()

        await load.check()
        assert await none_stands(run)


async def restore(stage: Stage) -> None:
    """Set all tables back to the copy, as a restored backup would."""
    async with stage.db.acquire() as db, db.transaction():
        for table in TABLES:
            await db.execute(
                f"TRUNCATE widgets.{table};"
                f"INSERT INTO widgets.{table} OVERRIDING SYSTEM VALUE SELECT * FROM public.{table}"
            )


async def none_stands(run: RunningGroup) -> bool:
    return not run.entrance.pauses.standing
