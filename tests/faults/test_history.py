"""F6, F9: the database is older than the log, and the log is delivered again: both end in the same state."""

import asyncio
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from infra.local.servers import Servers
from infra.roles import schemas
from infra.settings import Settings
from schemas.message import Heartbeat
from schemas.topics import TOPICS, Kind, Topic
from tests.chaos.checker_world import working
from tests.chaos.log import read_topics
from tests.faults.load import Load
from tests.faults.tables import differences, tables
from tests.faults.world import World, copy_folder, data_of_postgres

COMMANDS = [topic for topic in TOPICS.values() if topic.kind is Kind.COMMAND]
STATES = [topic for topic in TOPICS.values() if topic.kind is Kind.STATE]


async def test_f6_the_database_is_set_back_to_an_older_copy(world: World) -> None:
    load = Load(world, deleting=False)
    async with load.going_on():
        await load.goes_on()
    await asyncio.to_thread(back_up, world.servers)
    async with load.going_on():
        await load.goes_on()
    await world.at_rest()
    before = await tables(world.settings)

    world.stop()
    await asyncio.to_thread(set_back, world.servers)
    older = await tables(world.settings)
    world.start()
    await world.all_is_well()

    assert len(before["curation.pick"]) > len(older["curation.pick"]), "the copy was no older one"
    assert differences(before, await tables(world.settings)) == {}


def back_up(servers: Servers) -> None:
    """A copy of PostgreSQL's data, as a power cut would leave them."""
    servers.kill("postgres")
    data = data_of_postgres(servers)
    copy_folder(data, data.with_name("copy"))
    servers.restart("postgres")


def set_back(servers: Servers) -> None:
    servers.kill("postgres")
    data = data_of_postgres(servers)
    copy_folder(data.with_name("copy"), data)
    servers.restart("postgres")


async def test_f9_every_command_is_delivered_again(world: World, load: Load) -> None:
    async with load.going_on():
        await load.goes_on()
    await world.at_rest()
    before, events = await tables(world.settings), await events_of(world.settings)

    again = await send_again(world.settings, COMMANDS)
    await world.all_is_well()

    assert again > load.acked
    assert differences(before, await tables(world.settings)) == {}
    assert await events_of(world.settings) == events


async def send_again(settings: Settings, topics: Sequence[Topic]) -> int:
    """Append every record of the topics once more; how many these were."""
    places = [TopicPartition(topic.name, n) for topic in topics for n in range(topic.partitions)]
    count = 0
    async with (
        AIOKafkaConsumer(bootstrap_servers=settings.kafka) as consumer,
        AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all") as producer,
    ):
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        left = {place for place in places if ends[place]}
        while left:
            for place, records in (await consumer.getmany(*left, timeout_ms=200)).items():
                for raw in (raw for raw in records if raw.offset < ends[place]):
                    await producer.send(
                        raw.topic, raw.value, raw.key, raw.partition, headers=list(raw.headers)
                    )
                    count += 1
            left = {place for place in left if await consumer.position(place) < ends[place]}
        await producer.flush()
    return count


async def events_of(settings: Settings) -> list[str]:
    """What lies on the state topics."""
    logs = (await read_topics(settings.kafka, STATES)).values()
    return [f"{entry.place} {entry.id}" for log in logs for entry in log if entry.type != Heartbeat.__name__]


async def test_f9_offsets_and_positions_at_the_beginning_have_no_new_effect(world: World, load: Load) -> None:
    """Kafka's offsets in the platform itself, its own positions in a copy, whose groups then work here."""
    async with load.going_on():
        await load.goes_on()
    await world.at_rest()
    before, events = await tables(world.settings), await events_of(world.settings)

    world.stop()
    for group in schemas():
        await forget(world.settings, group)
    copy = await copied(world.settings, "again")
    async with working(copy):
        await World(world.servers, {}, world.stack, copy).at_rest()
    world.start()
    await world.all_is_well()

    assert differences(before, await tables(copy)) == {}
    assert differences(before, await tables(world.settings)) == {}
    assert await events_of(world.settings) == events


async def forget(settings: Settings, group: str) -> None:
    """Set the group's offsets to the beginning, as a tool for Kafka would."""
    topics = [topic for topic in TOPICS.values() if group in topic.readers]
    places = [TopicPartition(topic.name, n) for topic in topics for n in range(topic.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign(places)
    await consumer.commit(dict.fromkeys(places, 0))
    await consumer.stop()


async def copied(settings: Settings, name: str) -> Settings:
    """A copy of the database in which every group begins at the beginning."""
    copy = settings.model_copy(update={"database": f"{settings.database.rpartition('/')[0]}/{name}"})
    elsewhere = settings.model_copy(update={"database": f"{settings.database.rpartition('/')[0]}/postgres"})
    admin = await asyncpg.connect(elsewhere.dsn("postgres"))
    await admin.execute(f"DROP DATABASE IF EXISTS {name}")
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE pickly OWNER migrate")
    await admin.close()
    inside = await asyncpg.connect(copy.dsn("postgres"))
    for schema in schemas():
        await inside.execute(f"UPDATE {schema}.position SET next_offset = 0")
    await inside.close()
    return copy
