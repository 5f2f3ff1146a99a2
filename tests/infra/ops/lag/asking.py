"""Commands as the gateway sends them, events as the relay does, and decisions as the runtime writes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from aiokafka import TopicPartition

from infra.partitions import partition_of
from schemas.topics import PICK_EVENTS, TOPICS
from tests.infra.ops.lag.world import World

SECRET = b'{"note": "a secret of ana"}'


@dataclass(frozen=True)
class Asked:
    """A command on its topic."""

    id: UUID
    key: str
    place: TopicPartition
    offset: int
    at: datetime


def headers(id: UUID, kind: str, **more: object) -> list[tuple[str, bytes]]:
    fields = {"ce_id": id, "ce_type": kind} | {f"ce_{name}": value for name, value in more.items()}
    return [(name, str(value).encode()) for name, value in fields.items()]


async def ask(
    world: World,
    key: str,
    *,
    kind: str = "PublishPick",
    topic: str = "pick.commands",
    id: UUID | None = None,
) -> Asked:
    """A command of the gateway, as it lies on its topic; with an `id` that it had before, a repeat."""
    place = TopicPartition(topic, partition_of(key, TOPICS[topic]))
    id = id or uuid4()
    offset, at = await world.send(
        place, headers=headers(id, kind, correlation=id), key=key.encode(), value=SECRET
    )
    return Asked(id, key, place, offset, at)


async def event(
    world: World, key: str, version: int = 1, *, kind: str = "PickPublished", topic: str = PICK_EVENTS.name
) -> tuple[UUID, TopicPartition, int]:
    """An event of the relay."""
    id, place = uuid4(), TopicPartition(topic, partition_of(key, TOPICS[topic]))
    offset, _ = await world.send(
        place, headers=headers(id, kind, sequence=version), key=key.encode(), value=SECRET
    )
    return id, place, offset


async def decide(
    world: World,
    asked: Asked,
    status: str,
    *,
    schema: str = "curation",
    kind: str = "picks",
    reason: str | None = None,
    events: int = 0,
    offsets: Mapping[UUID, tuple[str, int, int]] | None = None,
    decided_at: datetime | None = None,
) -> None:
    """Its decider's answer; the decider has passed it, at `decided_at` if the inbox still knows it."""
    places = {str(id): list(place) for id, place in (offsets or {}).items()}
    await world.db.execute(
        f"INSERT INTO {schema}.decision"
        " (command_id, actor, type, status, reason, resource, events, offsets, at)"
        " VALUES ($1, $2, 'PublishPick', $3, $4, $5, $6, $7, $8)",
        asked.id, uuid4(), status, reason, f"{kind}/{asked.key}", events, json.dumps(places), asked.at,
    )  # fmt: skip
    if decided_at is not None:
        await world.db.execute(
            f"INSERT INTO {schema}.inbox VALUES ($1, $2, $3)", schema, asked.id, decided_at
        )
    await world.move(schema, asked.place, 1)
