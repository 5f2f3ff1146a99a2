"""Logs of any messages for any group, made up."""

from collections.abc import Iterable, Mapping, Sequence
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
from infra.runtime.group import Group
from infra.runtime.handlers import MessageType
from infra.runtime.records import Record
from schemas.envelope import Meta
from schemas.message import Command, Message, State, Tick, Tombstone
from schemas.sealed import Box
from schemas.topics import Kind, Topic

START: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
WAITS: Final = (timedelta(), timedelta(), timedelta(seconds=1), timedelta(hours=25), timedelta(days=31))
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "handle": ["anna", "an.na", "bert"],
    "language": ["en", "pt-BR"],
    "links": ["https://a.example", "https://b.example"],
    "role": ["moderator", "member:queue:spam"],
    "time_zone": ["UTC", "Europe/Lisbon"],
}
"""Text for fields that take no other."""


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


def handled(kinds: Mapping[str, MessageType], records: Iterable[Record]) -> set[str]:
    """The types among the records."""
    types = {dict(record.headers)["ce_type"] for record in records}
    return {kind for kind in kinds if kind.encode() in types}
