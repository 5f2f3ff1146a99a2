"""One poll: decode, prepare, one fenced transaction; and what happens when that fails.

A failed transaction is repeated partition by partition, then in halves, until the record that is to blame
stands alone. It is tried a few times, with pauses, and then set aside. An outage pauses what it touches and
has no limit.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka import TopicPartition

from infra.runtime import letters, metrics, positions
from infra.runtime.connection import Connection
from infra.runtime.decoding import Reading
from infra.runtime.fates import Fate, StaleOwnerError, fate_of
from infra.runtime.group import Group
from infra.runtime.handlers import Db
from infra.runtime.positions import Move, staleness
from infra.runtime.prepare import Preparation
from infra.runtime.processing import Processing
from infra.runtime.records import Dead, Decoded, Incoming, Record
from infra.telemetry.context import inside, parse
from infra.telemetry.errors import describe, raised_at

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 5
"""How often a record that fails alone is tried before it is set aside."""
AGAIN_LIMIT: Final = 10
"""How often a transaction that lost against another is repeated before it counts as an outage."""

Unit = Mapping[TopicPartition, Sequence[Decoded]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a partition came out of a poll: `trouble` is None when everything was applied.

    `outage`: wait, then go on from the position. `retry`: wait a little for a failing record. `stale`: read
    the position again. `stop`: stand still, `reason` says why, until an operator or newer code helps.
    """

    trouble: str | None = None
    reason: str = ""


APPLIED: Final = Verdict()


class Poller:
    """Applies what was polled for one group. Knows expected offsets and the records that keep failing."""

    def __init__(
        self,
        group: Group,
        connection: Connection,
        preparation: Preparation,
        owner: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.group = group
        self.connection = connection
        self.preparation = preparation
        self.owner = owner
        self.now = now
        self.expected: dict[TopicPartition, int] = {}
        self.seen_until: dict[TopicPartition, datetime] = {}
        self._attempts: Counter[tuple[TopicPartition, int]] = Counter()

    async def run(self, polled: Mapping[TopicPartition, Sequence[Record]]) -> dict[TopicPartition, Verdict]:
        """Decode the records and apply them."""
        return await self.apply({place: Reading.of(each, self.group) for place, each in polled.items()})

    async def apply(self, readings: Mapping[TopicPartition, Reading]) -> dict[TopicPartition, Verdict]:
        """Apply what was read; afterwards `expected` is true for every partition with verdict APPLIED."""
        verdicts: dict[TopicPartition, Verdict] = {}
        unit: dict[TopicPartition, Sequence[Decoded]] = {}
        for place, reading in readings.items():
            decoded, verdicts[place] = self._admit(place, reading)
            if decoded:
                unit[place] = decoded
        failed: dict[TopicPartition, Verdict] = {}
        for part in self._portions(unit):
            going = {place: decoded for place, decoded in part.items() if place not in failed}
            if going:
                settled = await self._settle(going)
                failed |= {place: verdict for place, verdict in settled.items() if verdict.trouble}
        return verdicts | failed

    def _admit(self, place: TopicPartition, reading: Reading) -> tuple[list[Decoded], Verdict]:
        """What may be applied now: nothing twice, nothing behind a gap, nothing after a long absence."""
        expected = self.expected.get(place)
        if expected is None:
            return [], Verdict("stale", "not assigned")
        fresh = [each for each in reading.decoded if each.record.offset >= expected]
        unknown = reading.unknown
        first = fresh[0].record if fresh else unknown.record if unknown else None
        follows = first is not None and first.offset == expected
        if (stale := self.stale(place, first.at if first and follows else None)) is not None:
            return [], Verdict("stop", stale)
        if first is not None and first.offset > expected and self.group.strict(place.topic):
            return [], Verdict("stop", f"gap: offset {first.offset} follows {expected - 1}")
        if unknown is not None and unknown.record.offset >= expected:
            return fresh, Verdict("stop", str(unknown))
        return fresh, APPLIED

    def stale(self, place: TopicPartition, next_at: datetime | None = None) -> str | None:
        """Why tombstones may have been missed on `place`, or None.

        `next_at` is the append time of an unread record right at our position: nothing before it was
        compacted away, and what comes behind it is not older.
        """
        seen = self.seen_until[place]
        age = self.now() - (seen if next_at is None else max(seen, next_at))
        return staleness(self.group.topics[place.topic], age)

    def _portions(self, unit: dict[TopicPartition, Sequence[Decoded]]) -> list[Unit]:
        """A record that failed before goes alone, first; the rest in portions of bounded cost."""
        alone: list[Unit] = []
        rest: dict[TopicPartition, list[Decoded]] = {}
        for place, decoded in unit.items():
            suspect = (place, decoded[0].record.offset) in self._attempts
            if suspect:
                alone.append({place: decoded[:1]})
            rest[place] = list(decoded[1:] if suspect else decoded)
        return alone + portions(rest)

    async def _settle(self, unit: Unit) -> dict[TopicPartition, Verdict]:
        try:
            return await self._commit_with_patience(unit)
        except StaleOwnerError as stale:
            metrics.FENCED.labels(self.group.name).inc()
            return dict.fromkeys(unit, Verdict("stale", str(stale)))
        except Exception as error:
            fate = fate_of(error)
            metrics.FAILED.labels(self.group.name, fate.value).inc()
            if fate in (Fate.OUTAGE, Fate.AGAIN):
                return dict.fromkeys(unit, Verdict("outage", describe(error)))
            smaller = split(unit)
            if not smaller:
                return await self._suspect(unit, error)
        verdicts: dict[TopicPartition, Verdict] = {}
        for part in smaller:
            if not any(place in verdicts and verdicts[place].trouble for place in part):
                verdicts |= await self._settle(part)
        return verdicts

    async def _commit_with_patience(self, unit: Unit) -> dict[TopicPartition, Verdict]:
        for _ in range(AGAIN_LIMIT):
            try:
                return await self._commit(unit)
            except Exception as error:
                if fate_of(error) is not Fate.AGAIN:
                    raise
        return await self._commit(unit)

    async def _suspect(self, unit: Unit, error: Exception) -> dict[TopicPartition, Verdict]:
        """A record that fails alone: once more after a pause, or set aside."""
        ((place, (record,)),) = unit.items()
        attempt, described = (place, record.record.offset), describe(error)
        self._attempts[attempt] += 1
        if self._attempts[attempt] >= ATTEMPTS and isinstance(record, Dead):
            return {place: Verdict("stop", f"offset {attempt[1]} cannot be set aside: {described}")}
        if self._attempts[attempt] < ATTEMPTS or not isinstance(record, Incoming):
            with inside(parse(record.meta.traceparent) if isinstance(record, Incoming) else None):
                where = {"place": str(place), "offset": record.record.offset, "at": raised_at(error)}
                log.warning("handler_failed", group=self.group.name, error=described, **where)
            return {place: Verdict("retry", described)}
        attempts = self._attempts.pop(attempt)
        dead = Dead(record.record, record.key, record.meta, "handler_failed", described, attempts)
        return await self._settle({place: [dead]})

    async def _commit(self, unit: Unit) -> dict[TopicPartition, Verdict]:
        """Prepare, then one transaction over all partitions: fence, apply, circuit."""
        prepared = {place: await self.preparation.run(decoded) for place, decoded in unit.items()}
        moves = [self._move(place, decoded) for place, decoded in prepared.items()]
        stopped: dict[TopicPartition, Verdict] = {}
        with Processing(self.group.name, prepared) as work:
            async with self.connection.use() as db, db.transaction():
                await positions.fence(db, self.group.name, self.owner, moves)
                await self.group.apply(db, work.records)
                for move in moves:
                    if any(isinstance(each, Dead) for each in prepared[move.place]):
                        stopped |= await self._circuit(db, move)
        for move in moves:
            self.expected[move.place] = move.next_offset
            if move.applied_at is not None:
                self.seen_until[move.place] = max(self.seen_until[move.place], move.applied_at)
            self._attempts.pop((move.place, move.next_offset - 1), None)
        return {place: stopped.get(place, APPLIED) for place in unit}

    def _move(self, place: TopicPartition, decoded: Sequence[Decoded]) -> Move:
        last = decoded[-1].record
        return Move(place, self.expected[place], last.offset + 1, last.at)

    async def _circuit(self, db: Db, move: Move) -> dict[TopicPartition, Verdict]:
        reason = await letters.circuit(db, self.group.name, move.place, move.next_offset - 1)
        if reason is None:
            return {}
        await positions.stop(db, self.group.name, move.place, reason)
        return {move.place: Verdict("stop", reason)}


COST_LIMIT: Final = 5.0
"""Seconds that one transaction may take, by the declared costs of its handlers."""


def portions(unit: Mapping[TopicPartition, Sequence[Decoded]]) -> list[Unit]:
    """Cut a poll where its declared cost passes COST_LIMIT; order per partition is kept."""
    result: list[dict[TopicPartition, list[Decoded]]] = []
    cost = COST_LIMIT
    for place, decoded in unit.items():
        for each in decoded:
            price = each.handler.cost if isinstance(each, Incoming) else 0.0
            if cost + price > COST_LIMIT or not result:
                result.append({})
                cost = 0.0
            cost += price
            result[-1].setdefault(place, []).append(each)
    return list(result)


def split(unit: Unit) -> list[Unit]:
    """The unit partition by partition, one partition in halves, a single record not at all."""
    if len(unit) > 1:
        return [{place: decoded} for place, decoded in unit.items()]
    ((place, decoded),) = unit.items()
    middle = len(decoded) // 2
    return [{place: decoded[:middle]}, {place: decoded[middle:]}] if middle else []
