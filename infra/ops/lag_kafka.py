"""What Kafka knows of the groups: the offsets that it was told, their members, and who holds what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from infra.ops.topic_broker import BrokerError, NotYetError, admin_of
from infra.settings import Settings

Place: TypeAlias = tuple[str, str, int]
"""Group, topic, partition."""
UNKNOWN: Final = "unknown"
"""State of a group whose coordinator does not answer."""


@dataclass(frozen=True, slots=True)
class Member:
    """A consumer in a group: Kafka's id for it, the address that it came from, and what it holds."""

    id: str
    host: str
    holds: list[TopicPartition]


@dataclass(frozen=True, slots=True)
class Membership:
    """A group as its coordinator describes it.

    `state`: Stable, PreparingRebalance and CompletingRebalance while members change, Empty, Dead, or unknown.
    """

    state: str
    members: Sequence[Member] = ()


async def ask(settings: Settings, groups: Sequence[str]) -> tuple[dict[Place, int], dict[str, Membership]]:
    """Committed offsets and memberships of the groups; both are for dashboards only.

    One coordinator that is away spoils nothing. Raises BrokerError when the cluster cannot be reached.
    """
    committed: dict[Place, int] = {}
    memberships = dict.fromkeys(groups, Membership(UNKNOWN))
    try:
        async with admin_of(settings.kafka) as admin:
            for group in groups:
                try:
                    told = await admin.list_consumer_group_offsets(group)
                    committed |= {(group, *place): at.offset for place, at in told.items()}
                    memberships[group] = await _membership(admin, group)
                except KafkaError:
                    continue
    except NotYetError as error:
        raise BrokerError(str(error)) from error
    return committed, memberships


async def _membership(admin: AIOKafkaAdminClient, group: str) -> Membership:
    """Asked for one group at a time: aiokafka misreads the answer about several."""
    (answer,) = await admin.describe_consumer_groups([group])
    ((_error, _group, state, _type, _protocol, members),) = answer.groups
    return Membership(state, sorted((_member(*each) for each in members), key=lambda each: each.holds))


def _member(id: str, _client: str, host: str, _metadata: bytes, assignment: bytes) -> Member:
    if not assignment:  # it has joined and was given nothing so far
        return Member(id, host.lstrip("/"), [])
    held = ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    return Member(id, host.lstrip("/"), sorted(held))
