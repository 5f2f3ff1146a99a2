"""A contract of its own for the runtime's tests: widgets that are put and dropped, and a view of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import TopicPartition

from infra.partitions import partition_of
from infra.runtime import Batch, Db, Decider, Effect, Projection, Refusal, Unchanged, gone
from infra.runtime.records import Record
from schemas.envelope import Meta
from schemas.message import Command, Message, State, Tick, Tombstone
from schemas.topics import Kind, Topic

_numbers = itertools.count(1)
PARTITIONS = 4


class PoisonError(Exception):
    """What a handler raises for a widget whose value is `poison`."""


@dataclass(frozen=True)
class Contract:
    """Topics and messages of one test; names are unique, so that tests share a broker without meeting."""

    commands: Topic
    events: Topic
    Put: type[Any]
    Drop: type[Any]
    Widget: type[Any]
    WidgetGone: type[Any]


def topics(label: str, partitions: int, *, expires: bool) -> tuple[Topic, Topic]:
    """A command topic and a state topic under a name that no other test has."""
    name = f"w{uuid4().hex[:8]}.{label}"
    commands = Topic(
        f"{name}.commands",
        Kind.COMMAND,
        "widgets",
        "",
        readers=("widgets",),
        writers=("gateway", "clock"),
        keep=timedelta(days=3),
        partitions=partitions,
        expires=expires,
    )
    events = Topic(
        f"{name}.events", Kind.STATE, "widgets", "", readers=("read_widgets",), partitions=partitions
    )
    return commands, events


def contract(label: str, *, partitions: int = PARTITIONS, expires: bool = False) -> Contract:
    """A fresh contract."""
    commands, events = topics(label, partitions, expires=expires)

    class OfWidget(Message):
        subject = "widgets"
        key_fields = ("key_",)

        key_: str

    class WidgetCommand(OfWidget, Command):
        author_field = "owner"

        owner: UUID
        n: int = 0

    class Put(WidgetCommand, topic=commands):
        value: str = ""

    class Drop(WidgetCommand, topic=commands):
        pass

    class Widget(OfWidget, State, topic=events):
        value: str

    class WidgetGone(OfWidget, Tombstone, topic=events):
        pass

    return Contract(commands, events, Put, Drop, Widget, WidgetGone)


SCHEMA = """
CREATE TABLE widget (key text PRIMARY KEY, value text, version bigint NOT NULL, numbers int[] NOT NULL);
"""
READ_SCHEMA = "CREATE TABLE widget (key text PRIMARY KEY, value text, version bigint NOT NULL);"


async def next_version(db: Db, events: Topic, key: str) -> int:
    """One above the row's version, or above that of its last life."""
    version = await db.fetchval("SELECT version FROM widget WHERE key = $1 FOR UPDATE", key)
    return int(version or (await gone.sequences(db, events, [key])).get(key, 0)) + 1


UPSERT = """
INSERT INTO widget VALUES ($1, $2, $3, ARRAY[$4::int]) ON CONFLICT (key) DO UPDATE
   SET value = $2, version = $3, numbers = widget.numbers || $4::int
"""


def special(message: Any, meta: Meta) -> Refusal | Unchanged | None:
    """`poison` raises, `no` is refused, `same` changes nothing."""
    if message.value == "poison":
        raise PoisonError(message.key_)
    answers: dict[str, Refusal | Unchanged] = {"no": Refusal("said_no"), "same": Unchanged(after=meta.id)}
    return answers.get(str(message.value))


def decider(c: Contract, *, many: bool = False) -> Decider:
    """A decider of widgets. `many` handles Put in batches."""
    group = Decider("widgets", c.commands)

    async def put(message: Any, meta: Meta, db: Db) -> Any:
        """See `special` for values that mean something."""
        answer = special(message, meta)
        if answer is not None:
            return answer
        version = await next_version(db, c.events, message.key_)
        await db.execute(UPSERT, message.key_, message.value, version, message.n)
        value = "x" * 300_000 if message.value == "big" else message.value
        widget = c.Widget(key_=message.key_, value=value, version=version)
        return [widget, Effect("ring", {"key": message.key_})] if message.value == "effect" else widget

    async def put_many(batch: Batch[Any], db: Db) -> Sequence[Any]:
        """At most one message a key; the same rules."""
        keys = [item.message.key_ for item in batch]
        assert len(keys) == len(set(keys)), "a key twice in one wave"
        return [await put(item.message, item.meta, db) for item in batch]

    if many:
        group.on_batch(c.Put)(put_many)
    else:
        group.on(c.Put)(put)

    @group.on(c.Drop)
    async def drop(message: Any, meta: Meta, db: Db) -> Message | Refusal:
        """What is not there cannot be dropped."""
        version = await db.fetchval("DELETE FROM widget WHERE key = $1 RETURNING version", message.key_)
        if version is None:
            return Refusal("not_found")
        gone_now: Message = c.WidgetGone(key_=message.key_, version=version + 1)
        return gone_now

    return group


def ticking(group: Decider) -> list[Tick]:
    """Let the group take ticks; the list is filled with those it got."""
    seen: list[Tick] = []

    @group.on(Tick)
    async def tick(message: Tick, meta: Meta, db: Db) -> list[Message]:
        seen.append(message)
        if meta.subject == "poison":
            raise PoisonError("tick")
        return []

    return seen


def projection(c: Contract) -> Projection:
    """A read model of widgets."""
    group = Projection("widgets", c.events)

    @group.on(c.Widget)
    async def show(batch: Batch[Any], db: Db) -> None:
        """A value `poison` raises."""
        if any(item.message.value == "poison" for item in batch):
            raise PoisonError("projection")
        await db.executemany(
            "INSERT INTO widget VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET value = $2, version = $3"
            " WHERE $3 > widget.version",
            [(item.message.key_, item.message.value, item.message.version) for item in batch],
        )

    @group.on(c.WidgetGone)
    async def hide(batch: Batch[Any], db: Db) -> None:
        await db.executemany(
            "DELETE FROM widget WHERE key = $1 AND version < $2",
            [(item.message.key_, item.message.version) for item in batch],
        )

    return group


OWNER = UUID("00000000-0000-4000-8000-00000000000a")


@dataclass
class Tape:
    """Makes records as a broker would: offsets rise by one on each partition."""

    topic: Topic
    ends: dict[int, int]
    at: datetime

    @classmethod
    def of(cls, topic: Topic) -> "Tape":
        """An empty log."""
        return cls(topic, {}, datetime.now(UTC))

    def add(
        self,
        message: Message,
        *,
        id: UUID | None = None,
        actor: UUID | None = OWNER,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        **meta: Any,
    ) -> Record:
        """A record that holds `message`."""
        sequence = message.version if isinstance(message, State | Tombstone) else None
        envelope = Meta(
            id or uuid4(),
            type(message).__name__,
            self.at,
            message.about,
            actor=actor,
            sequence=meta.pop("sequence", sequence),
            **meta,
        )
        value = None if isinstance(message, Tombstone) else message.body()
        pairs = [(name, text.encode()) for name, text in envelope.headers().items()]
        where = partition_of(message.key, self.topic) if partition is None else partition
        return self.raw(message.key.encode(), value, [*pairs, *headers], where)

    def raw(
        self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], partition: int
    ) -> Record:
        """A record of any bytes."""
        offset = self.ends.get(partition, 0)
        self.ends[partition] = offset + 1
        return Record(self.topic.name, partition, offset, self.at, key, value, tuple(headers))


def polled(*records: Record) -> dict[TopicPartition, list[Record]]:
    """The records by partition, as a poll gives them."""
    result: dict[TopicPartition, list[Record]] = {}
    for record in records:
        result.setdefault(record.place, []).append(record)
    return result
