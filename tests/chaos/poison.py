"""Records that must die, and hostile ones that must not, by construction: each on a key of its own."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from infra.partitions import partition_of
from schemas import ids
from schemas.envelope import Meta
from schemas.picks import PublishPick
from schemas.reactions import React
from schemas.things import NewThing
from schemas.topics import MAX_BODY, PICK_COMMANDS, REACTION_COMMANDS, Topic

Header = tuple[str, bytes | None]
MOST: Final = 6
"""Poison on one partition: the circuit opens at more than ten in a thousand records."""


@dataclass(frozen=True)
class Poison:
    """A record as it goes to the broker; `reason` is that of its letter, "" when it is to be decided."""

    name: str
    reason: str
    topic: Topic
    partition: int
    id: UUID
    type: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]

    @property
    def body_hash(self) -> str:
        """SHA-256 of the value, in hex."""
        return hashlib.sha256(self.value or b"").hexdigest()

    @property
    def key_text(self) -> str:
        """The key for the ledger."""
        return (self.key or b"").decode("utf-8", "backslashreplace")


def sound(author: UUID, body: Mapping[str, object] | None = None) -> Poison:
    """A record in which nothing is wrong, about a pick that nobody else asks for."""
    thing = NewThing(ref=f"movielens:{uuid4().hex}", kind="film", title="A film that dies")
    thing_id = ids.thing_id(thing.ref)
    pick = PublishPick(
        pick_id=ids.pick_id(author, thing_id), author_id=author, thing_id=thing_id, thing=thing
    )
    meta = Meta(uuid4(), "PublishPick", datetime.now(UTC), pick.about, "pickly/gateway", actor=author)
    headers = tuple((name, text.encode()) for name, text in meta.headers().items())
    place = partition_of(pick.key, PICK_COMMANDS)
    value = json.dumps(json.loads(pick.body()) | dict(body or {})).encode()
    key = pick.key.encode()
    return Poison("sound", "", PICK_COMMANDS, place, meta.id, "PublishPick", key, value, headers)


def _header(poison: Poison, name: str, value: bytes | None) -> tuple[Header, ...]:
    return (*(each for each in poison.headers if each[0] != name), (name, value))


def _headers(name: str, value: bytes | None) -> Callable[[Poison], Poison]:
    return lambda poison: replace(poison, headers=_header(poison, name, value))


def _without(name: str) -> Callable[[Poison], Poison]:
    return lambda poison: replace(poison, headers=tuple(each for each in poison.headers if each[0] != name))


def _value(value: bytes | None) -> Callable[[Poison], Poison]:
    return lambda poison: replace(poison, value=value)


def _other_key(poison: Poison) -> Poison:
    key = str(uuid4())
    return replace(poison, key=key.encode(), partition=partition_of(key, poison.topic))


def _other_topic(poison: Poison) -> Poison:
    """Social reads this type, but from its own topic."""
    headers = _header(poison, "ce_type", b"PickPublished")
    return replace(poison, topic=REACTION_COMMANDS, type="PickPublished", headers=headers)


def _bad_reaction(poison: Poison) -> Poison:
    react = React(pick_id=uuid4(), account_id=uuid4(), kind="like")
    return replace(
        poison,
        topic=REACTION_COMMANDS,
        partition=partition_of(react.key, REACTION_COMMANDS),
        type="React",
        key=react.key.encode(),
        value=react.body().replace(b"like", b"hate"),
        headers=_header(poison, "ce_type", b"React"),
    )


DEEP: Final = b"[" * 5_000 + b"]" * 5_000
KINDS: Final[dict[str, tuple[str, Callable[[Poison], Poison]]]] = {
    "oversize": ("oversize", lambda poison: replace(poison, value=b"x" * (MAX_BODY + 1))),
    "no type": ("no_type", _without("ce_type")),
    "empty type": ("no_type", _headers("ce_type", b"")),
    "null header": ("undecodable_headers", _headers("ce_extra", None)),
    "header not UTF-8": ("undecodable_headers", _headers("ce_subject", b"\xff\xfe")),
    "header with NUL": ("undecodable_headers", _headers("ce_source", b"a\x00b")),
    "no id": ("bad_envelope", _without("ce_id")),
    "id no UUID": ("bad_envelope", _headers("ce_id", b"../../etc/passwd")),
    "actor no UUID": ("bad_envelope", _headers("ce_actor", b"root")),
    "endless version": ("bad_envelope", _headers("ce_expectedversion", b"9" * 4_000)),
    "foreign digits": ("bad_envelope", _headers("ce_expectedversion", "３".encode())),
    "no key": ("no_key", lambda poison: replace(poison, key=None)),
    "key not UTF-8": ("undecodable_key", lambda poison: replace(poison, key=b"\xff\xfe\xfd")),
    "key with NUL": ("undecodable_key", lambda poison: replace(poison, key=b"a\x00b")),
    "key of another": ("wrong_key", _other_key),
    "no body": ("invalid_body", _value(None)),
    "empty body": ("invalid_body", _value(b"")),
    "half a body": ("invalid_body", lambda poison: replace(poison, value=(poison.value or b"")[:-20])),
    "body not UTF-8": ("invalid_body", _value(b'{"note":"\xff"}')),
    "deep body": ("invalid_body", _value(DEEP)),
    "body of another shape": ("invalid_body", _value(b'["PublishPick"]')),
    "NUL in a note": (
        "invalid_body",
        lambda p: replace(p, value=(p.value or b"").replace(b"dies", b"\\u0000")),
    ),
    "unknown reaction": ("invalid_body", _bad_reaction),
    "another topic's type": ("wrong_topic", _other_topic),
}
HARMLESS: Final[dict[str, Callable[[Poison], Poison]]] = {
    "huge header": _headers("x-padding", b"p" * 20_000),
    "header injection": _headers("x-note", b"a\r\nce_actor: b\x1b[2J"),
    "forged actor": _headers("ce_actor", str(uuid4()).encode()),
    "a trace of nonsense": _headers("traceparent", b"00-zz-zz-99"),
    "unknown attributes": _headers("ce_" + "x" * 200, "☃".encode()),
}


class Cabinet:
    """Hands out poison, each kind in turn, never so much that a circuit opens."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"poison/{seed}")
        self._names: list[str] = []
        self._planted: Counter[tuple[str, int]] = Counter()

    def take(self, author: UUID) -> Poison | None:
        """The next; None when its partition has had enough of it."""
        if not self._names:
            self._names = self._chance.sample(names := [*KINDS, *HARMLESS], len(names))
        name = self._names.pop()
        if name in HARMLESS:
            return replace(HARMLESS[name](sound(author)), name=name)
        reason, make = KINDS[name]
        poison = replace(make(sound(author)), name=name, reason=reason)
        place = (poison.topic.name, poison.partition)
        if self._planted[place] >= MOST:
            return None
        self._planted[place] += 1
        return poison
