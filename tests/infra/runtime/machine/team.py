"""A group of two members on real Postgres. Who owns a partition is decided here instead of by a broker.

A member that has lost a partition is not told: it goes on trying until the fence stops it.
"""

from collections.abc import Mapping
from typing import Final

from aiokafka import TopicPartition

from infra.runtime import positions
from infra.runtime.connection import Connection
from infra.runtime.fates import StaleOwnerError
from infra.runtime.group import Group
from infra.runtime.poll import Poller, Verdict
from infra.runtime.positions import Move
from infra.runtime.prepare import Preparation
from infra.runtime.records import Record
from infra.runtime.replay import Replay
from infra.settings import Settings
from tests.infra.runtime.machine.broker import Clock, Log, places

ROUNDS: Final = 500
"""Each record that dies takes five polls of its partition; one that takes so many is stuck."""

Takes = Mapping[TopicPartition, int]
"""How many records of each partition a poll holds."""


class Member:
    """A process of the group."""

    def __init__(self, name: str, group: Group, settings: Settings) -> None:
        self.name = name
        self.group = group
        self.connection = Connection(settings, group.schema, purpose=name)
        self._preparation = Preparation(settings, group.schema)
        self.restart(Clock())

    def restart(self, clock: Clock) -> None:
        """It begins again, and owns nothing."""
        self.poller = Poller(self.group, self.connection, self._preparation, self.name, lambda: clock.now)


class Team:
    """Two members, and who of them owns which partition."""

    def __init__(self, group: Group, settings: Settings) -> None:
        self.group = group
        self.members = [Member(f"{group.name}-{n}", group, settings) for n in range(2)]
        self.places = [place for topic in group.topics.values() for place in places(topic)]
        self.fenced = 0
        self.stale = False

    async def begin(self, log: Log) -> None:
        """Both start anew; the partitions are shared out."""
        self.log, self.stale = log, False
        self.owners = {place: place.partition % 2 for place in self.places}
        for number in range(2):
            await self.restart(number)

    async def restart(self, number: int) -> None:
        """A member is started, and enters what is its own."""
        self.members[number].restart(self.log.clock)
        await self._enter(number, [place for place, owner in self.owners.items() if owner == number])

    async def hand_over(self, place: TopicPartition) -> None:
        """The other member gets the partition; the one that had it is not told."""
        self.owners[place] = 1 - self.owners[place]
        await self._enter(self.owners[place], [place])

    async def _enter(self, number: int, entered: list[TopicPartition]) -> None:
        """Go on at the positions in Postgres, as the runtime's entrance does."""
        poller, clock = self.members[number].poller, self.log.clock
        async with poller.connection.use() as db:
            await db.executemany(
                "INSERT INTO position (group_name, topic, partition, next_offset, applied_at)"
                " VALUES ($1, $2, $3, 0, $4) ON CONFLICT DO NOTHING",
                [(self.group.name, place.topic, place.partition, clock.now) for place in entered],
            )
            rows = await positions.load(db, self.group.name, entered)
        for place, row in rows.items():
            poller.expected[place] = row.next_offset
            at_end = row.next_offset >= self.log.end(place)
            poller.seen_until[place] = (None if at_end else row.applied_at) or clock.now

    async def poll(self, number: int, takes: Takes, again: int = 0) -> int:
        """One poll, repeated while a record that failed is tried again; how many records were new.

        `again`: so many records that were applied before come with it.
        """
        poller = self.members[number].poller
        for _ in range(ROUNDS):
            fetched = {place: self._fetch(poller, place, most, again) for place, most in takes.items()}
            polled = {place: records for place, records in fetched.items() if records}
            new = sum(r.offset >= poller.expected[p] for p, records in polled.items() for r in records)
            verdicts = await poller.run(polled)
            if not await self._heed(number, verdicts):
                await self._past_markers(number, [place for place in takes if place not in polled])
                return new
        raise AssertionError(f"still tried again after {ROUNDS} polls: {verdicts}")

    def _fetch(self, poller: Poller, place: TopicPartition, most: int, again: int) -> list[Record]:
        expected = poller.expected.get(place)
        if expected is None:
            return []
        before = [record for record in self.log.read(place, 0, expected) if record.offset < expected]
        return before[len(before) - again :] + self.log.read(place, expected, most)

    async def _heed(self, number: int, verdicts: Mapping[TopicPartition, Verdict]) -> bool:
        """Do what the intake does; whether a record is to be tried again."""
        for place, verdict in verdicts.items():
            if verdict.trouble == "stale":
                self.fenced += 1
                await self._lost(number, place)
            elif verdict.trouble == "stop":
                assert verdict.reason.startswith("stale"), verdict
                self.stale = True
            else:
                assert verdict.trouble in (None, "retry"), verdict
        return any(verdict.trouble == "retry" for verdict in verdicts.values())

    async def _lost(self, number: int, place: TopicPartition) -> None:
        if self.owners[place] == number:
            await self._enter(number, [place])
        else:
            self.members[number].poller.expected.pop(place, None)

    async def _past_markers(self, number: int, idle: list[TopicPartition]) -> None:
        """After an empty fetch the position moves past commit markers."""
        poller, log = self.members[number].poller, self.log
        at_end = [p for p in idle if p in poller.expected and not log.read(p, poller.expected[p], 1)]
        moves = []
        for place in at_end:
            expected, end = poller.expected[place], log.end(place)
            if end > expected and poller.stale(place) is not None:
                self.stale = True
                continue
            poller.seen_until[place] = log.clock.now
            if end > expected:
                moves.append(Move(place, expected, end, None))
        if not moves:
            return
        try:
            async with poller.connection.use() as db, db.transaction():
                await positions.fence(db, self.group.name, poller.owner, moves)
        except StaleOwnerError:
            for move in moves:
                await self._lost(number, move.place)
        else:
            poller.expected |= {move.place: move.next_offset for move in moves}

    async def replay(self, number: int) -> int:
        """Work off the letters that are marked; how many."""
        return await Replay(self.members[number].poller).run_due()

    def unread(self, *numbers: int) -> int:
        """How many offsets these members, or all, have not passed of what they own."""
        pollers = {p: self.members[o].poller for p, o in self.owners.items() if o in numbers or not numbers}
        return sum(self.log.end(place) - poller.expected.get(place, 0) for place, poller in pollers.items())

    def busy(self, number: int) -> int:
        """That member, unless only the other one has something to do."""
        return number if self.unread(number) else 1 - number

    async def close(self) -> None:
        """Let go of the connections."""
        for member in self.members:
            await member.connection.close()
