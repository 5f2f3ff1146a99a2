"""A broker's log in memory: append, holes where transactions leave markers, compaction; and a relay to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from aiokafka import TopicPartition

from infra.runtime.records import Record
from producers.outbox import Outbox, Row
from schemas.message import Message
from schemas.topics import TOMBSTONES_KEPT, Topic
from tests.infra.runtime.machine.contract import Tallied
from tests.infra.runtime.widgets import Tape

NOT_JSON: Final = b"{"


@dataclass
class Clock:
    """Days go by when a test says so."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def pass_days(self, days: int) -> None:
        """Later."""
        self.now += timedelta(days=days)


@dataclass(frozen=True)
class Sent:
    """A command as it was sent. `n` is its number, `kind` Put or Drop; a `garbled` one has no JSON."""

    id: UUID
    key: str
    kind: str
    value: str
    n: int
    garbled: bool = False


class Log:
    """Every topic of a contract. Offsets rise and are never used again."""

    def __init__(self, t: Tallied, clock: Clock) -> None:
        self.clock = clock
        self.commands = t.widgets.commands
        self.state_topics = t.state_topics
        self._tapes = {topic.name: Tape.of(topic) for topic in (self.commands, *t.state_topics)}
        self.records: dict[TopicPartition, list[Record]] = {
            place: [] for topic in (self.commands, *t.state_topics) for place in places(topic)
        }
        self.sent: dict[tuple[int, int], Sent] = {}
        self._met: dict[tuple[TopicPartition, int], datetime] = {}

    def end(self, place: TopicPartition) -> int:
        """The next offset that will be used."""
        return self._tapes[place.topic].ends.get(place.partition, 0)

    def read(self, place: TopicPartition, offset: int, most: int) -> list[Record]:
        """The first records at or behind an offset."""
        return [record for record in self.records[place] if record.offset >= offset][:most]

    def append(self, message: Message, sent: Sent) -> None:
        """A command arrives."""
        tape = self._tape(self.commands.name)
        record = tape.add(message, id=sent.id)
        if sent.garbled:
            place = record.partition
            tape.ends[place] -= 1
            record = tape.raw(record.key, NOT_JSON, [(n, v or b"") for n, v in record.headers], place)
        self.records[record.place].append(record)
        self.sent[record.partition, record.offset] = sent

    def publish(self, rows: Iterable[Row], *, aborted: bool = False) -> list[int]:
        """A transaction: its records, if it is not aborted, and a marker on every partition; the offsets."""
        offsets, touched = [], set()
        for row in rows:
            record = self._tape(row.topic).raw(row.key, row.body, row.headers, row.partition)
            if not aborted:
                self.records[record.place].append(record)
            offsets.append(record.offset)
            touched.add(record.place)
        for place in touched:
            self._tapes[place.topic].ends[place.partition] += 1
        return offsets

    def compact(self, tail: int) -> None:
        """Keep the newest record of each key, and no old tombstone; the last `tail` records are too new."""
        for topic in self.state_topics:
            for place in places(topic):
                head = self.records[place][: len(self.records[place]) - tail]
                newest = {record.key: record.offset for record in head}
                kept = [r for r in head if newest[r.key] == r.offset and not self._expired(r)]
                self.records[place] = kept + self.records[place][len(head) :]

    def _expired(self, record: Record) -> bool:
        """A tombstone is kept for a time after the first cleaning that met it (Kafka's KIP-534).

        So who has read an older state of its key, which that cleaning removed, has as long to read it.
        """
        if record.value is not None:
            return False
        met = self._met.setdefault((record.place, record.offset), self.clock.now)
        return self.clock.now - met > TOMBSTONES_KEPT

    def _tape(self, topic: str) -> Tape:
        tape = self._tapes[topic]
        tape.at = self.clock.now
        return tape


def places(topic: Topic) -> list[TopicPartition]:
    """The partitions of a topic."""
    return [TopicPartition(topic.name, n) for n in range(topic.partitions)]


def header(record: Record, name: str) -> str:
    """A header that is there."""
    return (dict(record.headers)[name] or b"").decode()


class Relay:
    """Sends the outbox with the SQL of the real one."""

    def __init__(self, outbox: Outbox, log: Log) -> None:
        self._outbox = outbox
        self._log = log

    async def send(self, most: int, dies: str = "") -> Sequence[Row]:
        """A page. It may die `before commit`, which aborts, or `before delete`, so that it is sent again."""
        rows = (await self._outbox.page())[:most]
        if not rows:
            return []
        offsets = self._log.publish(rows, aborted=dies == "before commit")
        if not dies:
            await self._outbox.settle(rows, offsets)
        return rows
