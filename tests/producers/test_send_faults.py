"""The sender while its broker is away, frozen, killed, or refuses: nobody waits long or is told wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import REGISTRY

from infra.local.servers import Servers
from infra.ops import topics as ops_topics
from infra.settings import Settings
from producers.errors import NotSentError, OutcomeUnknownError, SendError
from producers.send import Sender
from schemas.topics import PICK_COMMANDS, REACTION_COMMANDS, Kind, Topic
from tests.producers.asking import outcome, until_sent
from tests.producers.brokers import one_broker
from tests.producers.reading import header, read

CONNECTIONS = "pickly_sender_connections_total"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A broker that only this module uses."""
    servers = one_broker(tmp_path_factory.mktemp("broker"))
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
async def kafka(settings: Settings, broker: Servers) -> Settings:
    """Settings for that broker, which has every declared topic."""
    own = settings.model_copy(update={"kafka": broker.env["PICKLY_KAFKA"]})
    await ops_topics.apply(own)
    return own


@pytest.fixture
async def sender(kafka: Settings) -> AsyncIterator[Sender]:
    """A started sender that has delivered a record."""
    sender = Sender(kafka)
    await sender.start()
    await until_sent(sender, PICK_COMMANDS, 0)
    yield sender
    await sender.stop()


async def ids_on_topic(kafka: Settings) -> list[str | None]:
    """The ids of all records of PICK_COMMANDS."""
    return [header(record, "ce_id") for record in await read(kafka, PICK_COMMANDS)]


async def test_a_frozen_broker_means_unknown_within_the_deadline_and_late_callers_are_not_sent(
    kafka: Settings, broker: Servers, sender: Sender
) -> None:
    first, later = str(uuid4()), [str(uuid4()) for _ in range(20)]
    broker.pause("kafka")
    try:
        handed_over = asyncio.create_task(outcome(sender, first))
        await asyncio.sleep(0.2)
        behind_it = [asyncio.create_task(outcome(sender, identity)) for identity in later]

        assert await asyncio.wait_for(handed_over, 10) is OutcomeUnknownError
        assert set(await asyncio.wait_for(asyncio.gather(*behind_it), 10)) == {NotSentError}
    finally:
        broker.resume("kafka")

    await until_sent(sender, PICK_COMMANDS, 0)
    on_topic = await ids_on_topic(kafka)
    assert not set(later) & set(on_topic), "who was told 'not sent' must not be on the topic"


async def test_a_killed_broker_means_503_now_and_works_again_after_its_restart(
    kafka: Settings, broker: Servers, sender: Sender
) -> None:
    acknowledged = [str(uuid4()) for _ in range(50)]
    for identity in acknowledged:
        assert isinstance(await outcome(sender, identity), tuple)

    broker.kill("kafka")
    lost = [await asyncio.wait_for(outcome(sender, str(uuid4())), 10) for _ in range(3)]
    reason = sender.why_not_ready()
    await asyncio.to_thread(broker.restart, "kafka")

    assert set(lost) <= {OutcomeUnknownError, NotSentError}
    assert reason is not None
    await until_sent(sender, PICK_COMMANDS, 0)
    assert sender.why_not_ready() is None
    assert sender.why_not_alive() is None
    assert set(acknowledged) <= set(await ids_on_topic(kafka))


async def test_under_load_through_a_kill_every_acknowledged_record_is_there_at_its_place(
    kafka: Settings, broker: Servers, sender: Sender
) -> None:
    told: dict[str, object] = {}
    stop = asyncio.Event()

    async def client(number: int) -> None:
        while not stop.is_set():
            identity = str(uuid4())
            told[identity] = await outcome(sender, identity, number % PICK_COMMANDS.partitions)

    clients = [asyncio.create_task(client(number)) for number in range(40)]
    await asyncio.sleep(1)
    broker.kill("kafka")
    await asyncio.to_thread(broker.restart, "kafka")
    for partition in range(PICK_COMMANDS.partitions):
        await until_sent(sender, PICK_COMMANDS, partition)
    stop.set()
    await asyncio.gather(*clients)

    places = {
        header(record, "ce_id"): (record.partition, record.offset)
        for record in await read(kafka, PICK_COMMANDS)
    }
    acknowledged = {identity: place for identity, place in told.items() if isinstance(place, tuple)}
    not_sent = {identity for identity, result in told.items() if result is NotSentError}
    assert len(acknowledged) > 100
    assert set(told.values()) & {OutcomeUnknownError, NotSentError}, "the kill went by unnoticed"
    assert {identity: places.get(identity) for identity in acknowledged} == acknowledged
    assert not not_sent & set(places)


async def test_a_sender_that_starts_before_its_broker_connects_by_itself(
    kafka: Settings, broker: Servers
) -> None:
    broker.kill("kafka")
    sender = Sender(kafka)
    await sender.start()
    result = await asyncio.wait_for(outcome(sender, str(uuid4())), 10)
    reason = sender.why_not_ready()
    await asyncio.to_thread(broker.restart, "kafka")

    assert result is NotSentError
    assert reason is not None
    assert "Kafka" in reason
    await until_sent(sender, PICK_COMMANDS, 0)
    await sender.stop()


async def test_stopping_is_bounded_while_the_broker_is_frozen(broker: Servers, sender: Sender) -> None:
    broker.pause("kafka")
    try:
        waiting = asyncio.create_task(outcome(sender, str(uuid4())))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(sender.stop(), 12)
        assert await asyncio.wait_for(waiting, 1) is OutcomeUnknownError
    finally:
        broker.resume("kafka")


async def test_after_an_error_that_no_repeat_cures_a_new_producer_works(
    kafka: Settings, sender: Sender
) -> None:
    async def allow(size: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka)
        await admin.start()
        resource = ConfigResource(ConfigResourceType.TOPIC, PICK_COMMANDS.name, {"max.message.bytes": size})
        await admin.alter_configs([resource])
        await admin.close()

    before = REGISTRY.get_sample_value(CONNECTIONS) or 0
    await allow("100")
    refused = None
    while refused is None:  # the broker takes a moment to obey its new setting
        result = await outcome(sender, str(uuid4()))
        refused = result if isinstance(result, type) else None
    await allow("1048588")

    assert refused is OutcomeUnknownError
    await until_sent(sender, PICK_COMMANDS, 0)
    assert (REGISTRY.get_sample_value(CONNECTIONS) or 0) > before, "it goes on with the old producer"
    await until_sent(sender, REACTION_COMMANDS, 5)
    await ops_topics.apply(kafka)


async def test_a_missing_topic_holds_back_nobody_else(kafka: Settings, sender: Sender) -> None:
    missing = Topic("test.missing", Kind.STATE, "test", "never made", partitions=1)

    lost = asyncio.create_task(sender.send_record(missing, 0, "key", b"{}", {}))
    sent = 0
    while not lost.done():
        assert isinstance(await outcome(sender, str(uuid4())), tuple)
        sent += 1

    assert isinstance(lost.exception(), SendError)
    assert sent > 20
