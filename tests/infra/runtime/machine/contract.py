"""Widgets with a second state topic, their tallies, so that a read model has topics to read in any order.

Both groups have bugs that a test can mend: the decider dies of the value `bug`, the read model of `blot`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from infra.runtime import Batch, Db, Decider, Projection, gone
from infra.runtime.handlers import MessageType
from schemas.envelope import Meta
from schemas.message import Message, State, Tombstone
from schemas.topics import Kind, Topic
from tests.infra.runtime import widgets
from tests.infra.runtime.widgets import Contract, contract

PARTITIONS: Final = 3
BUG: Final = "bug"
BLOT: Final = "blot"
TABLES: Final = "CREATE TABLE tally (key text PRIMARY KEY, total int NOT NULL, version bigint NOT NULL)"
READ_TABLES: Final = """
CREATE TABLE card (key text PRIMARY KEY, value text, version bigint, total int, tally_version bigint)
"""

Reach = Callable[[str], Awaitable[None]]
"""Called at a point of the sequence; a test may let the process die there."""


@dataclass
class Bugs:
    """Which of the two bugs there are now."""

    decider: bool = True
    projection: bool = True


@dataclass(frozen=True)
class Tallied:
    """The contract of widgets, and the topic and messages of their tallies."""

    widgets: Contract
    tallies: Topic
    Tally: type[Any]
    TallyGone: type[Any]

    @property
    def state_topics(self) -> tuple[Topic, Topic]:
        """What the read model reads."""
        return self.widgets.events, self.tallies


def tallied() -> Tallied:
    """A fresh contract."""
    c = contract("machine", partitions=PARTITIONS)
    name = c.events.name.replace("events", "tallies")
    topic = Topic(name, Kind.STATE, "widgets", "", readers=("read_widgets",), partitions=PARTITIONS)

    class OfTally(Message):
        subject = "tallies"
        key_fields = ("key_",)

        key_: str

    class Tally(OfTally, State, topic=topic):
        total: int

    class TallyGone(OfTally, Tombstone, topic=topic):
        pass

    return Tallied(c, topic, Tally, TallyGone)


def decider(t: Tallied, bugs: Bugs, reach: Reach, *, many: bool) -> Decider:
    """The decider of widgets; each put adds one to the tally of its life."""
    group = widgets.decider(t.widgets, many=many)

    async def put(message: Any, meta: Meta, db: Db) -> Any:
        if bugs.decider and message.value == BUG:
            raise KeyError(BUG)
        outcome = await one(message, meta, db)
        made = outcome if isinstance(outcome, list) else [outcome]
        tally = [await _counted(t, db, message.key_)] if isinstance(made[0], Message) else []
        return [*made, *tally] if tally else outcome

    async def put_many(batch: Batch[Any], db: Db) -> Sequence[Any]:
        return [await put(item.message, item.meta, db) for item in batch]

    async def drop(message: Any, meta: Meta, db: Db) -> Any:
        outcome = await dropped(message, meta, db)
        version = await db.fetchval("DELETE FROM tally WHERE key = $1 RETURNING version", message.key_)
        return [outcome, t.TallyGone(key_=message.key_, version=version + 1)] if version else outcome

    one = widgets.decider(t.widgets).handlers["Put"].function
    dropped = group.handlers["Drop"].function
    _watch(group, "Put", put_many if many else put, reach)
    _watch(group, "Drop", drop, reach)
    return group


async def _counted(t: Tallied, db: Db, key: str) -> Message:
    ended = (await gone.sequences(db, t.tallies, [key])).get(key, 0)
    row = await db.fetchrow(
        "INSERT INTO tally VALUES ($1, 1, $2) ON CONFLICT (key) DO UPDATE"
        " SET total = tally.total + 1, version = tally.version + 1 RETURNING total, version",
        key,
        ended + 1,
    )
    assert row is not None
    tally: Message = t.Tally(key_=key, total=row["total"], version=row["version"])
    return tally


def projection(t: Tallied, bugs: Bugs, reach: Reach) -> Projection:
    """Cards: widget and tally in one row, with one version for each of the two."""
    group = Projection("widgets", *t.state_topics)

    async def show(batch: Batch[Any], db: Db) -> None:
        if bugs.projection and any(item.message.value == BLOT for item in batch):
            raise KeyError(BLOT)
        await db.executemany(SHOW, [(i.message.key_, i.message.value, i.message.version) for i in batch])

    async def count(batch: Batch[Any], db: Db) -> None:
        await db.executemany(COUNT, [(i.message.key_, i.message.total, i.message.version) for i in batch])

    async def hide(batch: Batch[Any], db: Db) -> None:
        await db.executemany(HIDE, [(item.message.key_, item.message.version) for item in batch])
        await db.execute(SWEEP, [item.message.key_ for item in batch])

    async def uncount(batch: Batch[Any], db: Db) -> None:
        await db.executemany(UNCOUNT, [(item.message.key_, item.message.version) for item in batch])
        await db.execute(SWEEP, [item.message.key_ for item in batch])

    handlers: list[tuple[MessageType, Any]] = [
        (t.widgets.Widget, show),
        (t.Tally, count),
        (t.widgets.WidgetGone, hide),
        (t.TallyGone, uncount),
    ]
    for kind, function in handlers:
        group.on(kind)(function)
        _watch(group, kind.__name__, function, reach)
    return group


SHOW: Final = """
INSERT INTO card AS c (key, value, version) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET value = $2, version = $3 WHERE coalesce(c.version, 0) < $3
"""
COUNT: Final = """
INSERT INTO card AS c (key, total, tally_version) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET total = $2, tally_version = $3 WHERE coalesce(c.tally_version, 0) < $3
"""
HIDE: Final = "UPDATE card SET value = NULL, version = NULL WHERE key = $1 AND version < $2"
UNCOUNT: Final = "UPDATE card SET total = NULL, tally_version = NULL WHERE key = $1 AND tally_version < $2"
SWEEP: Final = "DELETE FROM card WHERE key = ANY($1) AND version IS NULL AND tally_version IS NULL"


def _watch(group: Decider | Projection, kind: str, function: Any, reach: Reach) -> None:
    async def watched(*arguments: Any) -> Any:
        await reach("before handler")
        outcome = await function(*arguments)
        await reach("after handler")
        return outcome

    group.handlers[kind] = replace(group.handlers[kind], function=watched)
