"""What a group makes of a log, without the time of day."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from aiokafka import TopicPartition

from infra.runtime import Db
from infra.runtime.connection import Connection
from infra.runtime.decoding import Reading
from infra.runtime.group import Group
from infra.runtime.poll import APPLIED, Poller
from infra.runtime.prepare import Preparation
from infra.runtime.records import Record
from infra.settings import Settings
from tests.consumers.invented import START

TIME_OF_DAY: Final = {"touched_at", "updated_at", "created_at", "first_at", "closed_at", "owner"}
"""Columns in which the runtime itself writes when and where it worked, and not what."""
LATER: Final = {"gone": {"at"}, "outbox": {"id"}}
"""The same, by table; an outbox is compared in the order of its ids instead."""

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
