"""The broker's side of the topic declaration: read, create, configure. Over aiokafka's admin client."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code

from infra.ops.topic_plan import Actual, Plan, broker_settings
from schemas.topics import Topic

REQUEST_MS: Final = 10_000
SET_ON_TOPIC: Final = 1
"""`config_source` of DescribeConfigs, DYNAMIC_TOPIC_CONFIG; everything else is a default."""
OK: Final = 0
ALREADY_EXISTS: Final = 36
NOT_YET: Final = frozenset({3, 5, 6, 7, 36, 38, 41})
"""Answers of a broker or controller that is still starting, and of a topic that another `apply` is making:
UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER, REQUEST_TIMED_OUT, TOPIC_ALREADY_EXISTS,
INVALID_REPLICATION_FACTOR (too few brokers have registered so far), NOT_CONTROLLER."""


class BrokerError(RuntimeError):
    """The broker refused, or did not answer in time; the text says which and what."""


class NotYetError(Exception):
    """The broker is not ready for this; asking again later may do."""


@asynccontextmanager
async def admin_of(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client; raises NotYetError while the broker cannot be reached."""
    client = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_MS)
    try:
        await client.start()
        yield client
    except (KafkaConnectionError, OSError, TimeoutError) as error:
        raise NotYetError(f"the broker at {servers} does not answer ({type(error).__name__})") from error
    except KafkaError as error:
        if error.retriable:
            raise NotYetError(str(error)) from error
        raise BrokerError(f"the broker at {servers}: {error}") from error
    finally:
        await client.close()


async def read(admin: AIOKafkaAdminClient, declared: Mapping[str, Topic]) -> dict[str, Actual]:
    """Every topic of the broker but its own; settings are read of declared ones only."""
    described = {each["topic"]: each for each in await admin.describe_topics() if not each["is_internal"]}
    for name, each in described.items():
        _check(each["error_code"], f"topic {name}")
    settings = await _settings(admin, [name for name in described if name in declared])
    return {
        name: Actual(len(each["partitions"]), len(each["partitions"][0]["replicas"]), settings.get(name, {}))
        for name, each in described.items()
    }


async def _settings(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    found = {}
    for response in await admin.describe_configs(resources):
        for resource in response.to_object()["resources"]:
            name = resource["resource_name"]
            _check(resource["error_code"], f"settings of {name}", resource["error_message"])
            entries = resource["config_entries"]
            found[name] = {
                entry["config_names"]: entry["config_value"]
                for entry in entries
                if entry["config_source"] == SET_ON_TOPIC
            }
    return found


async def carry_out(admin: AIOKafkaAdminClient, to_do: Plan, replication: int) -> None:
    """Create and configure. AlterConfigs replaces all settings of a topic, so that all of them are sent."""
    new = [
        NewTopic(topic.name, topic.partitions, replication, topic_configs=broker_settings(topic, replication))
        for topic in to_do.create
    ]
    if new:
        for topic, code, message in (await admin.create_topics(new)).topic_errors:
            _check(code, f"creating {topic}", message)
    changed = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, broker_settings(topic, replication))
        for topic in to_do.configure
    ]
    if changed:
        for response in await admin.alter_configs(changed):
            for resource in response.to_object()["resources"]:
                what = f"configuring {resource['resource_name']}"
                _check(resource["error_code"], what, resource["error_message"])


def _check(code: int, what: str, message: str | None = None) -> None:
    if code == OK:
        return
    text = f"{what}: {for_code(code).__name__}{f' ({message})' if message else ''}"
    raise NotYetError(text) if code in NOT_YET else BrokerError(text)


async def end_offsets(servers: str, topics: Mapping[str, Actual]) -> dict[str, int]:
    """For each topic the sum of its partitions' end offsets: how many records were ever written."""
    wanted = [TopicPartition(name, n) for name, topic in topics.items() for n in range(topic.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, request_timeout_ms=REQUEST_MS)
    try:
        await consumer.start()
        ends = await consumer.end_offsets(wanted)
    except (KafkaError, TimeoutError) as error:
        raise BrokerError(f"the broker at {servers} does not tell its end offsets: {error}") from error
    finally:
        await consumer.stop()
    return {name: sum(end for at, end in ends.items() if at.topic == name) for name in topics}
