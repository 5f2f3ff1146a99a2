"""Compares tables and log with the oracle after every step, and remembers what was ever on the log."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from aiokafka import TopicPartition

from infra.partitions import partition_of
from infra.runtime.records import Record
from tests.infra.runtime.machine.broker import Log, Sent, header, places
from tests.infra.runtime.machine.contract import BUG
from tests.infra.runtime.machine.house import House, Tables
from tests.infra.runtime.machine.oracle import Event, Oracle

Cards = dict[str, tuple[str | None, int | None, int | None, int | None]]


class Verdict:
    """`oracle` goes back with the database, `ever` and what follows it does not: the log never forgets."""

    def __init__(self, house: House, log: Log) -> None:
        self.house = house
        self.log = log
        self.oracle = Oracle()
        self.ever: dict[UUID, Event] = {}
        self.published: set[UUID] = set()
        self.newest: dict[tuple[str, str], Event] = {}
        self.last: dict[tuple[str, str], Event] = {}
        self.open_letters = False
        self._positions: dict[tuple[str, str, int], int] = {}
        self._shown: dict[str, tuple[int, int]] = {}
        self._looked: dict[tuple[str, int], int] = {}
        self._short = dict(zip((topic.name for topic in log.state_topics), ("widget", "tally"), strict=True))

    def go_back(self, oracle: Oracle) -> None:
        """The database was restored."""
        self.oracle, self._positions, self._shown = oracle, {}, {}

    def begin_read_model(self) -> None:
        """Its positions begin at 0 again, and its cards at nothing."""
        self._positions = {place: n for place, n in self._positions.items() if place[0] != "read_widgets"}
        self._shown = {}

    async def check(self) -> None:
        """Raise AssertionError unless everything is as it must be."""
        defects, self.house.faults.defects = self.house.faults.defects, []
        assert not defects, f"a poll failed by itself: {defects[:3]}"
        tables = await self.house.tables()
        self._follow_positions(tables)
        self._follow_letters(tables)
        self._compare(tables)
        self._read_log()
        self._compare_events(tables)
        self._compare_cards(tables)
        self.open_letters = bool(self.oracle.parked_keys() or tables.blotted)

    def _follow_positions(self, tables: Tables) -> None:
        """Let the oracle decide what the positions have passed."""
        for place, offset in tables.positions.items():
            before = self._positions.get(place, 0)
            assert offset >= before, f"the position of {place} fell from {before} to {offset}"
            group, topic, partition = place
            if group == "widgets" and topic == self.log.commands.name:
                for passed in range(self.oracle.taken.get(partition, 0), offset):
                    at = (partition, passed)
                    self.oracle.take(at, self.log.sent[at], bug=self.house.bugs.decider)
        missing = self._positions.keys() - tables.positions.keys()
        assert not missing, f"positions of {missing} are gone"
        self._positions = dict(tables.positions)

    def _follow_letters(self, tables: Tables) -> None:
        """Let the oracle decide what replays and drops have closed."""
        for at, (state, parked) in sorted(tables.letters.items()):
            letter = self.oracle.letters.get(at)
            assert letter is not None, f"a letter of {at} that nobody wrote"
            if state in ("closed", "dropped") and letter.state == "open":
                self.oracle.close(at, state, bug=self.house.bugs.decider)
            elif letter.parked and not parked:
                assert self.house.bugs.decider, f"{at} failed again without a bug"
                assert letter.sent.value == BUG, f"{at} failed again by itself"
                letter.parked = False

    def _compare(self, tables: Tables) -> None:
        expected = {at: (letter.state, letter.parked) for at, letter in self.oracle.letters.items()}
        marked = {"replay": "open", "drop": "open"}
        told = {at: (marked.get(state, state), parked) for at, (state, parked) in tables.letters.items()}
        assert told == expected, "dead letters"
        assert tables.widgets == self.oracle.widgets, "the effects of commands on widgets"
        assert tables.tallies == self.oracle.tallies, "the effects of commands on tallies"
        assert tables.decisions == self.oracle.decisions, "decisions"
        assert tables.seen == self.oracle.seen, "ids in the inbox"
        assert tables.effects == self.oracle.effects, "effects to run outside"
        assert tables.gone == self.oracle.gone, "versions of what is gone"

    def _read_log(self) -> None:
        """What was appended since the last look must be states that were decided, each key's in order."""
        self.ever |= self.oracle.events
        for topic in self.log.state_topics:
            for place in places(topic):
                for record in self.log.read(place, self._looked.get((topic.name, place.partition), 0), 9_999):
                    self._read(record)
                self._looked[topic.name, place.partition] = self.log.end(place)

    def _read(self, record: Record) -> None:
        id, key = UUID(header(record, "ce_id")), (record.key or b"").decode()
        assert id in self.ever, f"{key} has a record on {record.place} that no command led to"
        event = self.ever[id]
        body = orjson.loads(record.value) if record.value is not None else {}
        value = body.get("value", body.get("total"))
        said = Event(self._short[record.topic], key, int(header(record, "ce_sequence")), value)
        assert said == event, "a record says something else than was decided"
        assert record.partition == partition_of(key, self.log.state_topics[0]), "its partition"
        place = (event.topic, key)
        if id not in self.published:
            before = self.newest.get(place)
            assert before is None or before.version < event.version, f"{before} before {event}"
            self.newest[place] = event
        self.published.add(id)
        self.last[place] = event

    def _compare_events(self, tables: Tables) -> None:
        """Every event waits or is on its topic, and the decision knows where."""
        waiting = set(tables.outbox)
        assert len(waiting) == len(tables.outbox), "an event waits twice"
        assert waiting <= self.oracle.events.keys(), "an event waits that was not decided"
        sent = self.oracle.events.keys() - waiting
        assert sent <= self.published, "an event was lost"
        assert sent == tables.offsets.keys() - waiting, "decisions without the offsets of their events"
        at = {
            (r.topic, r.partition, r.offset): UUID(header(r, "ce_id"))
            for topic in self.log.state_topics
            for place in places(topic)
            for r in self.log.records[place]
        }
        for id, place in tables.offsets.items():
            assert at.get(place, id) == id, f"at {place} lies another event"

    def _compare_cards(self, tables: Tables) -> None:
        """A read model that has read everything shows the newest version of every key."""
        for (topic, key), body in tables.blotted.items():
            assert self.house.bugs.projection or b"blot" in body, f"{topic} {key} died without reason"
        for key, (_, version, _, counted) in tables.cards.items():
            before = self._shown.get(key, (0, 0))
            now = (version or before[0], counted or before[1])
            assert now == (max(now[0], before[0]), max(now[1], before[1])), f"{key} went back in time"
            self._shown[key] = now
        if any(self._behind(place, offset) for place, offset in tables.positions.items()):
            return
        self.house.done["read model compared"] += 1
        skipped = {key for _, key in tables.blotted}
        shown = {key: card for key, card in tables.cards.items() if key not in skipped}
        expected = self._cards(skipped)
        assert shown == expected, f"the read model shows {shown} instead of {expected}"

    def _behind(self, place: tuple[str, str, int], offset: int) -> bool:
        group, topic, partition = place
        return group == "read_widgets" and offset < self.log.end(TopicPartition(topic, partition))

    def _cards(self, skipped: set[str]) -> Cards:
        cards: Cards = {}
        for key in {key for _, key in self.newest} - skipped:
            widget, tally = self.newest.get(("widget", key)), self.newest.get(("tally", key))
            halves = [half if half and half.value is not None else None for half in (widget, tally)]
            value, version = (halves[0].value, halves[0].version) if halves[0] else (None, None)
            total, counted = (halves[1].value, halves[1].version) if halves[1] else (None, None)
            if any(halves):
                cards[key] = (value, version, total, counted)  # type: ignore[assignment]  # by topic
        return cards

    def check_end(self, sent: Sequence[Sent]) -> None:
        """Nothing is pending any more: every command is decided, and the newest record is the table's."""
        assert self.oracle.decisions.keys() == {each.id for each in sent}
        assert "parked" not in {status for status, _ in self.oracle.decisions.values()}
        assert self.last == self.newest, "the newest record of a key is not its newest version"
        alive = {key: event for (topic, key), event in self.last.items() if topic == "widget"}
        assert {k: (e.value, e.version) for k, e in alive.items() if e.value is not None} == {
            key: (value, version) for key, (value, version, _) in self.oracle.widgets.items()
        }
