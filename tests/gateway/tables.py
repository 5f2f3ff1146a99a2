"""The tables of the mesh, written by hand: decisions, positions, dead letters."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

DECIDE = """
INSERT INTO decision
       (command_id, actor, type, status, reason, resource, body_hash, events, offsets, after, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING
"""
MOVE = """
INSERT INTO position AS p (group_name, topic, partition, next_offset, stopped) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (group_name, topic, partition)
DO UPDATE SET next_offset = greatest(p.next_offset, excluded.next_offset), stopped = excluded.stopped
"""
SET_ASIDE = """
INSERT INTO dead_letter
       (group_name, topic, partition, record_offset, reason, error, attempts, appended_at, headers)
VALUES ($1, $2, $3, $4, 'handler', 'boom', 5, now(), '{}')
"""


@dataclass(frozen=True)
class At:
    """A place on a topic."""

    topic: str
    partition: int
    offset: int


def offsets_of(events: Sequence[At]) -> str:
    """The column `offsets` of a decision."""
    return json.dumps({f"event-{n}": [e.topic, e.partition, e.offset] for n, e in enumerate(events)})


class Tables:
    """Writes rows as the superuser."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.lock = asyncio.Lock()

    async def run(self, schema: str, query: str, *arguments: object) -> None:
        """Run one statement with `schema` as search path."""
        async with self.lock:
            await self.search(schema)
            await self.connection.execute(query, *arguments)

    async def decide(
        self,
        command_id: UUID,
        *,
        actor: UUID | None = None,
        type: str = "PublishPick",
        status: str = "decided",
        reason: str | None = None,
        resource: str = "picks/7f000001-0000-5000-8000-000000000001",
        body_hash: str | None = None,
        expected: int | None = None,
        events: Sequence[At] = (),
        after: UUID | None = None,
        at: datetime | None = None,
    ) -> None:
        """Write a decision of curation."""
        offsets = {f"event-{n}": [e.topic, e.partition, e.offset] for n, e in enumerate(events)}
        moment = at or datetime.now(UTC)
        number = len(events) if expected is None else expected
        values = (
            command_id,
            actor,
            type,
            status,
            reason,
            resource,
            body_hash,
            number,
            json.dumps(offsets),
            after,
        )
        await self.run("curation", DECIDE, *values, moment)

    async def move(self, group: str, at: At, *, stopped: str | None = None) -> None:
        """Let a projection pass a place."""
        await self.run(group, MOVE, group, at.topic, at.partition, at.offset + 1, stopped)

    async def stop(self, group: str, at: At, reason: str | None) -> None:
        """Let a projection stand still before a place; None lets it go on."""
        await self.run(group, MOVE, group, at.topic, at.partition, at.offset, reason)

    async def set_aside(self, group: str, at: At) -> None:
        """Give a projection a dead letter."""
        await self.run(group, SET_ASIDE, group, at.topic, at.partition, at.offset)

    async def search(self, schema: str) -> None:
        """Let names without a schema mean this one."""
        await self.connection.execute(f"SET search_path = {schema}")
