"""The tail check: the newest record of every key is what its deciding table says."""

from collections.abc import Mapping

from pydantic import ValidationError

from schemas.message import Heartbeat, Message, State, Tombstone
from tests.chaos.checker_evidence import Standing, Subjects, content_of
from tests.chaos.log import Entry
from tests.chaos.model import Content

Gone = Mapping[tuple[str, str], int]


def newest(entries: list[Entry]) -> dict[str, Entry]:
    """The last record of each key, which is all that compaction leaves."""
    return {entry.key or "": entry for entry in entries if entry.type != Heartbeat.__name__}


def wrong_tails(states: Mapping[str, list[Entry]], subjects: Subjects, gone: Gone) -> list[str]:
    """What is wrong, a line a key: `topic key: why`."""
    wrong: list[str] = []
    for topic, rows in subjects.items():
        tails = newest(states[topic])
        for key in sorted(tails.keys() | rows.keys()):
            why = _why_wrong(tails.get(key), rows.get(key), gone.get((topic, key)))
            wrong += [f"{topic} {key}: {why}"] if why else []
    return wrong


def _why_wrong(tail: Entry | None, row: Standing | None, gone: int | None) -> str | None:
    if tail is None:
        return f"no record, but the table has version {row.version if row else '?'}"
    if tail.value is None:
        if row is not None:
            return f"a tombstone of version {tail.version} is newest, but the table has {row.version}"
        return (
            None if gone == tail.version else f"a tombstone of version {tail.version}, but gone says {gone}"
        )
    if row is None:
        return f"version {tail.version} is newest, but the table does not have the key (gone: {gone})"
    if tail.version != row.version:
        return f"version {tail.version} is newest, but the table has {row.version}"
    return None if content_in(tail) == row.content else f"version {row.version} has another content"


def content_in(entry: Entry) -> Content | None:
    """The state that a record of a state topic carries; None for a tombstone, {} when it does not parse."""
    kind = Message.catalogue.get(entry.type)
    if entry.value is None:
        return None if kind is not None and issubclass(kind, Tombstone) else {}
    if kind is None or not issubclass(kind, State):
        return {}
    try:
        return content_of(kind.read(entry.value, entry.version))
    except (ValidationError, ValueError):
        return {}
