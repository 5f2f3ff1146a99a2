"""Logs of any messages for any group, and what a group makes of them, without the time of day."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import NAMESPACE_URL, UUID, uuid5
from zlib import crc32

from aiokafka import TopicPartition
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from infra.partitions import CLOCK_PREFIX, partition_of
from infra.runtime import Db
from infra.runtime.connection import Connection
from infra.runtime.decoding import Reading
from infra.runtime.group import Group
from infra.runtime.handlers import MessageType
from infra.runtime.poll import APPLIED, Poller
from infra.runtime.prepare import Preparation
from infra.runtime.records import Record
from infra.settings import Settings
from schemas.envelope import Meta
from schemas.message import Command, Message, State, Tick, Tombstone
from schemas.sealed import Box
from schemas.topics import Kind, Topic

START: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
WAITS: Final = (timedelta(), timedelta(), timedelta(seconds=1), timedelta(hours=25), timedelta(days=31))
TIME_OF_DAY: Final = {"touched_at", "updated_at", "created_at", "first_at", "closed_at", "owner"}
"""Columns in which the runtime itself writes when and where it worked, and not what."""
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "handle": ["anna", "an.na", "bert"],
    "language": ["en", "pt-BR"],
    "links": ["https://a.example", "https://b.example"],
    "time_zone": ["UTC", "Europe/Lisbon"],
}
"""Text for fields that take no other."""
LATER: Final = {"gone": {"at"}, "outbox": {"id"}}
"""The same, by table; an outbox is compared in the order of its ids instead."""


def values(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    """Values for a field. Ids come from small pools, so that messages are about the same few subjects.

    Raises TypeError for a type that it must still learn.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0], name)
    if origin in (Union, UnionType):
        return st.one_of([values(each, name) for each in arguments])
    if origin is Literal:
        return st.sampled_from(arguments[:2])
    if origin is tuple:
        return st.lists(values(arguments[0], name), max_size=2, unique=True).map(tuple)
    if annotation is not Box and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return messages(annotation)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        UUID: st.integers(0, 2).map(lambda n: uuid5(NAMESPACE_URL, f"{name}/{n}")),
        str: st.sampled_from(WORDS.get(name, ["a", "two words", "é ☕"])),
        float: st.integers(1, 10).map(lambda n: n / 2),
        int: st.integers(0, 3),
        bool: st.booleans(),
        AwareDatetime: st.integers(0, 3).map(lambda n: START - timedelta(days=n)),
        type(None): st.none(),
        Box: st.just(Box(key="nobody's", text="AA")),  # real ones: tests/consumers/auth
    }
    if annotation not in simple:
        raise TypeError(f"{name}: no values for {annotation} yet; add them here")
    return simple[annotation]


def messages(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Messages of a type; what has a default may be missing. Versions are given later, by the log."""
    fields = {n: f for n, f in kind.model_fields.items() if not (n == "version" and f.exclude)}
    needed = {n: values(f.annotation, n) for n, f in fields.items() if f.is_required()}
    others = {n: values(f.annotation, n) for n, f in fields.items() if not f.is_required()}
    versioned = {"version": 1} if len(fields) < len(kind.model_fields) else {}
    return st.fixed_dictionaries(needed, optional=others).map(lambda given: kind(**given, **versioned))


@dataclass(frozen=True)
class Entry:
    """A message on its way to the log: after what pause, and for a command by whom and on what version."""

    message: Message | None
    wait: timedelta
    forged: bool
    expected_version: int | None


def logs(group: Group, most: int = 24) -> st.SearchStrategy[list[Record]]:
    """Logs of every type that the group handles; None stands for a tick on a partition that has work."""
    kinds = [kind for kind in group.types.values() if issubclass(kind, Message)]
    any_message: list[st.SearchStrategy[Any]] = [messages(kind) for kind in kinds]
    if Tick.__name__ in group.types:
        any_message.append(st.none())
    entries = st.builds(
        Entry,
        st.one_of(any_message),
        st.sampled_from(WAITS),
        st.sampled_from([False] * 9 + [True]),
        st.sampled_from([None, None, None, 1, 2]),
    )
    return st.lists(entries, min_size=most // 2, max_size=most).map(lambda wanted: _log(group, wanted))


def _log(group: Group, entries: Sequence[Entry]) -> list[Record]:
    """The entries as records: ids by number, offsets and times that rise, versions that rise per key."""
    at, keys, versions = START, [""], dict[tuple[str, str], int]()
    records: list[Record] = []
    for n, entry in enumerate(entries):
        at += entry.wait
        if entry.message is None:
            records += [_tick(topic, keys[-1], at, n) for topic in _ticking(group)]
            continue
        message = entry.message
        if isinstance(message, State | Tombstone):
            place = (message.topic.name, message.key)
            versions[place] = versions.get(place, 0) + 1
            message = message.model_copy(update=_fixed(message) | {"version": versions[place]})
        keys.append(message.key)
        records.append(_record(message, entry, at, n))
    return _with_offsets(records)


def _fixed(message: State | Tombstone) -> dict[str, UUID]:
    """Ids beside the key stay what they are for as long as the key lives, and in its next life."""
    names = [n for n, f in type(message).model_fields.items() if f.annotation is UUID]
    number = crc32(message.key.encode()) % 3
    return {
        name: uuid5(NAMESPACE_URL, f"{name}/{number}") for name in names if name not in message.key_fields
    }


def _ticking(group: Group) -> list[Topic]:
    return [topic for topic in group.topics.values() if topic.kind is Kind.COMMAND]


def _tick(topic: Topic, key: str, at: datetime, n: int) -> Record:
    where = partition_of(key, topic)
    meta = Meta(uuid5(NAMESPACE_URL, f"tick/{n}"), Tick.__name__, at, "")
    return _raw(topic, where, at, f"{CLOCK_PREFIX}{where}", b"{}", meta)


def _record(message: Message, entry: Entry, at: datetime, n: int) -> Record:
    author = message.author_field if isinstance(message, Command) else None
    meta = Meta(
        uuid5(NAMESPACE_URL, f"message/{n}"),
        type(message).__name__,
        at,
        message.about,
        actor=getattr(message, author) if author and not entry.forged else None,
        sequence=message.version if isinstance(message, State | Tombstone) else None,
        expected_version=entry.expected_version if isinstance(message, Command) else None,
    )
    body = None if isinstance(message, Tombstone) else message.body()
    return _raw(message.topic, partition_of(message.key, message.topic), at, message.key, body, meta)


def _raw(topic: Topic, partition: int, at: datetime, key: str, body: bytes | None, meta: Meta) -> Record:
    headers = tuple((name, text.encode()) for name, text in meta.headers().items())
    return Record(topic.name, partition, 0, at, key.encode(), body, headers)


def _with_offsets(records: Iterable[Record]) -> list[Record]:
    ends: dict[TopicPartition, int] = {}
    result = []
    for record in records:
        ends[record.place] = ends.get(record.place, -1) + 1
        result.append(replace(record, offset=ends[record.place]))
    return result


Rows = dict[str, list[tuple[tuple[str, object], ...]]]


class RolledBackError(Exception):
    """Something went wrong right before the commit."""


class Bench:
    """A group on a database of its own, without a broker."""

    def __init__(self, group: Group, settings: Settings, db: Db) -> None:
        self._group = group
        self._db = db
        self._connection = Connection(settings, group.schema, purpose="twice")
        self._preparation = Preparation(settings, group.schema)

    async def begin(self) -> None:
        """Empty tables."""
        emptied = [f"DELETE FROM {self._group.schema}.{table}" for table in await self._tables()]
        await self._db.execute("; ".join(emptied))
        await self.read_again()

    async def read_again(self) -> None:
        """From the start of every partition, with whatever is in the tables."""
        places = [TopicPartition(t.name, n) for t in self._group.topics.values() for n in range(t.partitions)]
        await self._db.execute(f"DELETE FROM {self._group.schema}.position")
        await self._db.executemany(
            f"INSERT INTO {self._group.schema}.position (group_name, topic, partition, next_offset)"
            " VALUES ($1, $2, $3, 0)",
            [(self._group.name, place.topic, place.partition) for place in places],
        )
        self._now = START
        self._poller = Poller(self._group, self._connection, self._preparation, "twice", lambda: self._now)
        self._poller.expected = dict.fromkeys(places, 0)
        self._poller.seen_until = dict.fromkeys(places, START + timedelta(days=36_500))

    async def poll(self, records: Sequence[Record], *, rolled_back: bool = False) -> None:
        """Apply them in one transaction; `rolled_back`: once in vain before."""
        polled: dict[TopicPartition, list[Record]] = {}
        for record in records:
            polled.setdefault(record.place, []).append(record)
        if rolled_back:
            await self._in_vain(polled)
        verdicts = await self._poller.run(polled)
        assert all(verdict == APPLIED for verdict in verdicts.values()), verdicts

    async def _in_vain(self, polled: Mapping[TopicPartition, Sequence[Record]]) -> None:
        decoded = [e for records in polled.values() for e in Reading.of(records, self._group).decoded]
        prepared = await self._preparation.run(decoded)
        with suppress(RolledBackError):
            async with self._connection.use() as db, db.transaction():
                await self._group.apply(db, prepared)
                raise RolledBackError

    async def rows(self) -> Rows:
        """All that the group knows; sorted, but for the outbox, whose order counts."""
        result: Rows = {}
        for table in await self._tables():
            order = " ORDER BY id" if table == "outbox" else ""
            told = await self._db.fetch(f"SELECT * FROM {self._group.schema}.{table}{order}")
            hidden = TIME_OF_DAY | LATER.get(table, set())
            rows = [tuple((n, v) for n, v in row.items() if n not in hidden) for row in told]
            result[table] = rows if order else sorted(rows, key=repr)
        return result

    async def _tables(self) -> list[str]:
        rows = await self._db.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename !~ 'migration' ORDER BY 1",
            self._group.schema,
        )
        return [row["tablename"] for row in rows]

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()


def handled(kinds: Mapping[str, MessageType], records: Iterable[Record]) -> set[str]:
    """The types among the records."""
    types = {dict(record.headers)["ce_type"] for record in records}
    return {kind for kind in kinds if kind.encode() in types}
