"""The broker is made to match the declaration, and nothing that is promised is lost on the way."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra.local.servers import start_servers
from infra.ops.topic_broker import BrokerError, end_offsets
from infra.ops.topic_plan import Actual, broker_settings
from infra.ops.topics import RefusedError, apply, compare, lines_of, table_of
from infra.settings import Settings
from schemas.topics import TOPICS, Kind, Topic

ROOT = Path(__file__).parents[3]
Declared = dict[str, Topic]


@pytest.fixture
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client of the broker for what the tests do behind the tool's back."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def declared(admin: AIOKafkaAdminClient) -> AsyncIterator[Declared]:
    """A declaration of this test's own; its topics are deleted afterwards."""
    name = f"ops.{uuid4().hex}"
    topics = (
        Topic(f"{name}.commands", Kind.COMMAND, "a", "", partitions=2, keep=timedelta(days=3)),
        Topic(f"{name}.events", Kind.STATE, "a", "", partitions=3),
    )
    yield {topic.name: topic for topic in topics}
    await admin.delete_topics([topic.name for topic in topics])


async def actual_of(settings: Settings, declared: Declared) -> dict[str, Actual]:
    _, actual = await compare(settings, declared)
    return {name: actual[name] for name in declared if name in actual}


async def test_missing_topics_are_made_as_declared(settings: Settings, declared: Declared) -> None:
    done = await apply(settings, declared)

    assert len(done) == len(declared)
    for name, actual in (await actual_of(settings, declared)).items():
        assert actual == Actual(declared[name].partitions, 1, broker_settings(declared[name]))


async def test_applying_again_does_nothing(settings: Settings, declared: Declared) -> None:
    await apply(settings, declared)

    assert await apply(settings, declared) == []


async def test_two_at_once_make_each_topic_once(settings: Settings, declared: Declared) -> None:
    done = await asyncio.gather(apply(settings, declared), apply(settings, declared))

    assert {line for lines in done for line in lines} == {
        f"{topic.name}: create with {topic.partitions} partitions" for topic in declared.values()
    }
    assert set(await actual_of(settings, declared)) == set(declared)


async def test_settings_changed_by_hand_are_seen_and_set_back(
    settings: Settings, declared: Declared, admin: AIOKafkaAdminClient
) -> None:
    await apply(settings, declared)
    name = next(iter(declared))
    by_hand = {"retention.ms": "60000", "flush.messages": "9"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, by_hand)])

    to_do, _ = await compare(settings, declared)
    done = await apply(settings, declared)

    assert not to_do.matches
    assert f"{name}: retention.ms: 60000 -> 259200000" in done
    assert f"{name}: flush.messages: 9 -> default" in done
    assert sorted(done) == sorted(lines_of(to_do))
    assert (await actual_of(settings, declared))[name].settings == broker_settings(declared[name])


async def test_a_change_that_would_move_keys_is_refused_before_anything_is_done(
    settings: Settings, declared: Declared, admin: AIOKafkaAdminClient
) -> None:
    first, second = declared.values()
    await apply(settings, {first.name: first})
    more = declared | {first.name: replace(first, partitions=4)}

    with pytest.raises(RefusedError, match="move keys"):
        await apply(settings, more)

    assert second.name not in await admin.list_topics()


async def test_topics_of_others_are_shown_and_never_deleted(
    settings: Settings, declared: Declared, admin: AIOKafkaAdminClient
) -> None:
    stray = f"ops.{uuid4().hex}"
    await admin.create_topics([NewTopic(stray, 1, 1)])
    try:
        await apply(settings, declared)
        to_do, actual = await compare(settings, declared)

        assert stray in to_do.unknown
        assert stray in actual
    finally:
        await admin.delete_topics([stray])


async def test_the_table_counts_what_was_written(settings: Settings, declared: Declared) -> None:
    await apply(settings, declared)
    actual = await actual_of(settings, declared)
    events = list(declared)[1]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        for partition in (0, 0, 2):
            await producer.send_and_wait(events, b"{}", key=b"k", partition=partition)

    ends = await end_offsets(settings.kafka, actual)

    assert ends == {name: 3 if name == events else 0 for name in declared}
    assert table_of(actual, ends).row_count == len(TOPICS) + len(declared)


async def test_a_broker_that_is_still_starting_is_waited_for(tmp_path: Path, declared: Declared) -> None:
    servers = start_servers(tmp_path, s3=False)
    try:
        own = Settings(kafka=servers.env["PICKLY_KAFKA"])
        servers.kill("kafka")

        waiting = asyncio.create_task(apply(own, declared))
        await asyncio.to_thread(servers.restart, "kafka")

        assert len(await waiting) == len(declared)
    finally:
        servers.stop()


async def test_a_broker_that_never_comes_is_told_with_its_address() -> None:
    nowhere = Settings(kafka="127.0.0.1:1")

    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1 does not answer.*gave up"):
        await apply(nowhere, within=0.1)


async def test_a_setting_that_the_broker_refuses_is_an_error_and_not_waited_for(
    settings: Settings, declared: Declared
) -> None:
    impossible = {name: replace(topic, keep=topic.keep and timedelta(0)) for name, topic in declared.items()}

    with pytest.raises(BrokerError, match=r"creating ops\..*segment\.ms"):
        await apply(settings, impossible)


async def run(settings: Settings, *words: str) -> tuple[int | None, str]:
    env = os.environ | {"PICKLY_KAFKA": settings.kafka, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.ops.topics", *words,
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_the_commands_apply_compare_and_show(settings: Settings, admin: AIOKafkaAdminClient) -> None:
    assert (await run(settings, "apply"))[0] == 0
    assert (await run(settings, "diff"))[0] == 0
    code, table = await run(settings, "show")
    assert code == 0
    assert all(name in table for name in TOPICS)

    name = next(iter(TOPICS))
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "259200001"})])
    code, told = await run(settings, "diff")

    assert code == 1
    assert "retention.ms: 259200001 -> 259200000" in told
    assert (await run(settings, "apply"))[0] == 0
