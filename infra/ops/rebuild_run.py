"""One rebuild: build from the start of the log, compare at equal positions, swap."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka import TopicPartition

from infra.ops import rebuild_compare, rebuild_schema
from infra.ops.log_reader import LogReader, log_reader
from infra.ops.migrations_roles import OWNER
from infra.ops.rebuild_compare import Compared
from infra.ops.rebuild_schema import NotYetError, RebuildError, held, standings
from infra.ops.rebuild_shadow import Builder, building
from infra.roles import NEXT_SUFFIX, OLD_SUFFIX
from infra.settings import Settings
from infra.telemetry.errors import describe
from schemas.topics import TOPICS

if TYPE_CHECKING:
    from asyncpg import Connection

SHORT_PASS: Final = 1.0
"""Seconds: a pass over the newest records that took no longer has caught up with the log."""
SHORTER: Final = 0.8
"""A pass that takes more of the time of the one before does not get shorter by another."""
HOLD: Final = 3.0
"""Seconds for which the live one may be held while the shadow does its last records."""
LIVE_PATIENCE: Final = 10.0
"""Seconds for the live one to reach an end of the log that the shadow has reached."""
LOOK_EVERY: Final = 0.05
TRIES: Final = 10
IN_THE_WAY: Final = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    NotYetError,
    TimeoutError,
)
"""What is in the way now and then when the live one is held: all is rolled back, and it is tried again."""

Tell = Callable[[str], None]
Ends = Mapping[TopicPartition, int]


@dataclass(slots=True)
class Report:
    """What a rebuild did. `behind`: by partition, so many offsets the live one stood before the shadow."""

    projection: str
    records: int = 0
    seconds: float = 0.0
    tables: list[Compared] = field(default_factory=list)
    behind: dict[str, int] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    dead: int = 0
    held_seconds: float = 0.0
    swapped: bool = False

    @property
    def equal(self) -> bool:
        """Whether the live one showed what the log says."""
        return not any(table.differing for table in self.tables)

    @property
    def differing(self) -> int:
        """How many rows were not the same."""
        return sum(table.differing for table in self.tables)


async def rebuild(settings: Settings, projection: str, *, dry_run: bool, tell: Tell) -> Report:
    """Build, compare, and unless `dry_run` swap.

    Raises RebuildError and BuildError; the live one is then as it was. `tell` gets what goes on just now, a
    short line each time.
    """
    async with rebuild_schema.alone(settings, projection) as db:
        if not dry_run and await rebuild_schema.has_old(db, projection):
            raise RebuildError(
                f"{projection}{OLD_SUFFIX}, which an earlier rebuild replaced, is still there. When nobody"
                f" needs it: ./pickly rebuild {projection} --drop-old; then rebuild again"
            )
        await rebuild_schema.drop_next(db, projection)
        try:
            await rebuild_schema.make_next(db, projection)
            async with log_reader(settings.kafka) as log:
                return await _Rebuild(settings, projection, db, log, tell).run(dry_run=dry_run)
        finally:
            await rebuild_schema.drop_next(db, projection)


class _Rebuild:
    def __init__(
        self, settings: Settings, projection: str, db: "Connection", log: LogReader, tell: Tell
    ) -> None:
        self._settings = settings
        self._db = db
        self._log = log
        self._tell = tell
        self._live = projection
        self._next = f"{projection}{NEXT_SUFFIX}"
        self._ends: Ends = {}
        self._report = Report(projection)

    async def run(self, *, dry_run: bool) -> Report:
        async with building(self._settings, self._live) as builder:
            await self._build(builder)
            await self._again_while_in_the_way(partial(self._compare, builder))
            if not dry_run:
                await self._analyze()
                await self._again_while_in_the_way(partial(self._swap, builder))
        return self._report

    async def _build(self, builder: Builder) -> None:
        """Everything that is in the log, and what comes meanwhile, until there is little left."""
        began, left = time.monotonic(), 0

        def applied(records: int) -> None:
            self._report.records += records
            seconds = time.monotonic() - began
            rate = self._report.records / seconds
            to_go = max(left - self._report.records, 0)
            self._tell(
                f"{self._live}: {self._report.records:,} of at most {left:,} records,"
                f" {rate:,.0f}/s, {to_go / max(rate, 1):.0f} s left"
            )

        bounds = await self._log.bounds(self._places())
        left = sum(end - start for start, end in bounds.values())
        self._ends = {place: end for place, (_, end) in bounds.items()}
        await builder.advance(self._ends, applied)
        self._report.seconds = time.monotonic() - began

    def _places(self) -> list[TopicPartition]:
        topics = [topic for topic in TOPICS.values() if self._live in topic.readers]
        return [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]

    async def _catch_up(self, builder: Builder) -> None:
        """Let the shadow stand at the end of the log, and the live one too, if it works."""
        took, before = float("inf"), float("inf")
        while took > SHORT_PASS and took <= SHORTER * before:
            began, before = time.monotonic(), took
            bounds = await self._log.bounds(self._places())
            self._ends = {place: end for place, (_, end) in bounds.items()}
            await builder.advance(self._ends, lambda _: self._tell(f"{self._live}: catching up with the log"))
            took = time.monotonic() - began
        deadline = time.monotonic() + LIVE_PATIENCE
        while await self._coming() and time.monotonic() < deadline:
            self._tell(f"{self._live}: waiting for the live one to reach the end of the log")
            await asyncio.sleep(LOOK_EVERY)

    async def _coming(self) -> bool:
        """Whether the live one has still to reach the end, and does not stand still."""
        live = await standings(self._db, self._live)
        return any(
            place not in live or (not live[place].stopped and live[place].next_offset < end)
            for place, end in self._ends.items()
        )

    async def _level(self, builder: Builder, live: rebuild_schema.Positions) -> dict[TopicPartition, int]:
        """Bring the shadow to where the live one is held; on returning both stand still."""
        wanted = rebuild_schema.goals(live, await standings(self._db, self._next), self._ends)
        async with asyncio.timeout(HOLD):
            await builder.advance(wanted, lambda _: None)
        return wanted

    async def _compare(self, builder: Builder) -> None:
        await self._catch_up(builder)
        snapshot = await asyncpg.connect(self._settings.dsn(OWNER), server_settings={"search_path": ""})
        try:
            async with snapshot.transaction(isolation="repeatable_read", readonly=True):
                async with held(self._db, self._live) as live:
                    await self._level(builder, live)
                    reached = await standings(snapshot, self._next)  # the snapshot is taken here
                self._tell(f"{self._live}: comparing")
                self._note(live, reached)
                self._report.tables = await rebuild_compare.compare(snapshot, self._live, self._next)
                self._report.dead = await snapshot.fetchval(
                    f"SELECT count(*) FROM {self._next}.dead_letter WHERE closed_at IS NULL"
                )
        finally:
            await snapshot.close(timeout=5)

    def _note(self, live: rebuild_schema.Positions, reached: rebuild_schema.Positions) -> None:
        offsets = {place: live[place].next_offset if place in live else 0 for place in reached}
        self._report.behind = {
            f"{place.topic}/{place.partition}": row.next_offset - offsets[place]
            for place, row in sorted(reached.items())
            if row.next_offset > offsets[place]
        }
        self._report.stopped = sorted({row.stopped for row in live.values() if row.stopped})

    async def _analyze(self) -> None:
        """Statistics, which a new table would get a minute later, and plans with it."""
        for table in await rebuild_compare.tables_of(self._db, self._next):
            await self._db.execute(f"VACUUM (ANALYZE) {self._next}.{table.name}")

    async def _swap(self, builder: Builder) -> None:
        await self._catch_up(builder)
        reason = "equal" if self._report.equal else f"{self._report.differing} rows differed"
        async with held(self._db, self._live) as live:
            began = time.monotonic()
            wanted = await self._level(builder, live)
            await rebuild_schema.swap(self._db, self._live, wanted, reason)
        self._report.held_seconds = time.monotonic() - began
        self._report.swapped = True

    async def _again_while_in_the_way(self, work: Callable[[], Awaitable[None]]) -> None:
        for attempt in range(TRIES):
            try:
                await work()
                return
            except IN_THE_WAY as obstacle:
                if attempt + 1 == TRIES:
                    raise RebuildError(
                        f"{self._live} could not be held still in {TRIES} tries: {describe(obstacle)}"
                    ) from None
                self._tell(f"{self._live}: once more, since {describe(obstacle)}"[:100])
                await asyncio.sleep(LOOK_EVERY * 2**attempt)
