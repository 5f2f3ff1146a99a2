"""Whether this gateway can do its work: sender, database, and how far the projections are behind."""

import asyncio
from collections.abc import Collection, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from gateway.evidence import positions_of_projections
from gateway.problems import ProblemError
from gateway.reads.database import Database
from gateway.standing import Event, Place, Position, reads
from infra.roles import PROJECTIONS
from producers.send import Sender

if TYPE_CHECKING:
    from asyncpg import Record

EVERY: Final = 2.0
FAR_BEHIND: Final = 60
"""Seconds that a projection may take to show a decision."""
SAMPLE: Final = """
SELECT schema_name, events, offsets, at FROM mesh.decisions
 WHERE at < now() - make_interval(secs => $1) ORDER BY at DESC LIMIT 1000
"""
"""The newest of the decisions that every projection should show by now.

Whatever is behind where there is traffic is seen; what stands still without any says so in `stopped`.
"""

log = structlog.get_logger(__name__)


class Readiness:
    """Looks every two seconds, so that /readyz itself asks nobody."""

    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender
        self._reasons: dict[str, str] = {"database": "it was not asked yet"}

    def sender(self) -> str | None:
        """None, or why commands cannot be sent."""
        return self._sender.why_not_ready()

    def database(self) -> str | None:
        """None, or why read models cannot be shown."""
        return self._reasons.get("database")

    def projections(self) -> str | None:
        """None, or which read models stand still or are more than a minute behind."""
        return self._reasons.get("projections")

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look now."""
        try:
            self._reasons = await self._look()
        except ProblemError:
            self._reasons = {"database": "it does not answer"}
        except Exception as error:
            log.exception("readiness: the look failed")
            self._reasons = {"database": f"it cannot be read ({type(error).__name__}); is it migrated?"}

    async def _look(self) -> dict[str, str]:
        positions = await positions_of_projections(self._database)
        sample = await self._database.fetch(SAMPLE, FAR_BEHIND)
        faults = [*stopped(positions), *unsent(sample), *behind(newest(sample), positions)]
        return {"projections": "; ".join(faults)} if faults else {}


def newest(sample: "Sequence[Record]") -> set[Event]:
    """The last event of these decisions on each partition."""
    last: dict[tuple[str, int], int] = {}
    for row in sample:
        for topic, partition, offset in orjson.loads(row["offsets"]).values():
            last[topic, partition] = max(offset, last.get((topic, partition), offset))
    return {Event(topic, partition, offset) for (topic, partition), offset in last.items()}


def stopped(positions: Mapping[Place, Position]) -> list[str]:
    """The partitions that stand still."""
    return [
        f"{group} stands still on {topic}/{partition}: {position.stopped}"
        for (group, topic, partition), position in sorted(positions.items())
        if position.stopped is not None
    ]


def unsent(sample: "Sequence[Record]") -> list[str]:
    """The deciders whose events did not reach their topics in time: no projection can have shown those."""
    late = {row["schema_name"] for row in sample if len(orjson.loads(row["offsets"])) < row["events"]}
    return [f"events of {name} wait for the relay for over {FAR_BEHIND} s" for name in sorted(late)]


def behind(
    events: Set[Event], positions: Mapping[Place, Position], groups: Collection[str] = PROJECTIONS
) -> list[str]:
    """The projections of `groups` that should have passed these events and have not."""
    late = {
        group
        for group in groups
        for event in events
        if reads(group, event.topic) and _next(positions, group, event) <= event.offset
    }
    return [f"{group} is more than {FAR_BEHIND} s behind" for group in sorted(late)]


def _next(positions: Mapping[Place, Position], group: str, event: Event) -> int:
    position = positions.get((group, event.topic, event.partition))
    return 0 if position is None else position.next_offset
