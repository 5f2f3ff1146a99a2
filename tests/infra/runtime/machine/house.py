"""What the examples of a state machine share: a database, connections, both groups; its tables as data."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import orjson

from infra.runtime import Db
from infra.settings import Settings
from producers.outbox import Outbox
from tests.infra.runtime.machine.contract import (
    READ_TABLES,
    TABLES,
    Bugs,
    Tallied,
    decider,
    projection,
    tallied,
)
from tests.infra.runtime.machine.faults import Faults
from tests.infra.runtime.machine.team import Team

RUNTIME: Final = ("position", "dead_letter", "gone")
TABLES_OF: Final = {
    "widgets": (*RUNTIME, "inbox", "decision", "outbox", "effect", "widget", "tally"),
    "read_widgets": (*RUNTIME, "card"),
}

T = TypeVar("T")
Saved = dict[tuple[str, str], list[asyncpg.Record]]


@dataclass
class Tables:
    """What the tables hold, in the words of the oracle."""

    widgets: dict[str, tuple[str, int, list[int]]]
    tallies: dict[str, tuple[int, int]]
    gone: dict[tuple[str, str], int]
    decisions: dict[UUID, tuple[str, int]]
    offsets: dict[UUID, tuple[str, int, int]]
    seen: set[UUID]
    effects: set[UUID]
    letters: dict[tuple[int, int], tuple[str, bool]]
    outbox: list[UUID]
    positions: dict[tuple[str, str, int], int]
    cards: dict[str, tuple[str | None, int | None, int | None, int | None]]
    blotted: dict[tuple[str, str], bytes]


@dataclass
class House:
    """Everything that outlives an example. `done` counts what happened in all of them."""

    settings: Settings
    contract: Tallied
    bugs: Bugs
    faults: Faults
    deciding: Team
    projecting: Team
    loop: asyncio.AbstractEventLoop
    db: Db
    relay: Outbox
    done: Counter[str] = field(default_factory=Counter)

    @classmethod
    async def open(cls, settings: Settings, *, many: bool) -> "House":
        """Connect, and make the tables of this contract."""
        t, bugs, faults = tallied(), Bugs(), Faults()
        db = await asyncpg.connect(settings.dsn("postgres"))
        for schema, tables in (("widgets", TABLES), ("read_widgets", READ_TABLES)):
            await db.execute(f"SET search_path TO {schema}; {tables}")
            await db.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {schema}")
        relay = await asyncpg.connect(settings.dsn("postgres"), server_settings={"search_path": "widgets"})
        return cls(
            settings,
            t,
            bugs,
            faults,
            Team(decider(t, bugs, faults.reach, many=many), settings),
            Team(projection(t, bugs, faults.reach), settings),
            asyncio.get_running_loop(),
            db,
            Outbox(relay, "widgets"),
        )

    async def close(self) -> None:
        """Let go of everything."""
        await self.deciding.close()
        await self.projecting.close()
        await self.relay.close()
        await self.db.close()

    def run(self, work: Awaitable[T]) -> T:
        """Do it now: a state machine's rules are no coroutines."""
        return self.loop.run_until_complete(work)

    async def wipe(self, *schemas: str) -> None:
        """Empty the tables."""
        tables = [f"{schema}.{table}" for schema in schemas for table in TABLES_OF[schema]]
        await self.db.execute(";".join(f"DELETE FROM {table}" for table in tables))

    async def save(self) -> Saved:
        """A backup of the whole database."""
        return {
            (schema, table): await self.db.fetch(f"SELECT * FROM {schema}.{table}")
            for schema, tables in TABLES_OF.items()
            for table in tables
        }

    async def restore(self, saved: Saved) -> None:
        """The database as it was."""
        async with self.db.transaction():
            await self.wipe(*TABLES_OF)
            for (schema, table), rows in saved.items():
                if rows:
                    await self.db.copy_records_to_table(
                        table, schema_name=schema, columns=list(rows[0].keys()), records=map(tuple, rows)
                    )

    async def mark(self, state: str, keys: Iterable[str], reason: str = "%") -> None:
        """As an operator does with the open letters of these keys that have such a reason.

        What a read model could not show is never dropped here: it would be missing on purpose.
        """
        for schema in ("widgets",) if state == "drop" else TABLES_OF:
            await self.db.execute(
                f"UPDATE {schema}.dead_letter SET state = $1"
                " WHERE closed_at IS NULL AND key = ANY($2) AND reason LIKE $3",
                state,
                list(keys),
                reason,
            )

    async def tables(self) -> Tables:
        """Read everything."""
        c, tallies = self.contract.widgets, self.contract.tallies
        short = {c.events.name: "widget", tallies.name: "tally"}
        decisions = await self._rows("SELECT command_id, status, events, offsets FROM widgets.decision")
        offsets = [
            (UUID(id), tuple(at)) for row in decisions for id, at in orjson.loads(row["offsets"]).items()
        ]
        return Tables(
            widgets={r[0]: (r[1], r[2], r[3]) for r in await self._rows("TABLE widgets.widget")},
            tallies={r[0]: (r[1], r[2]) for r in await self._rows("TABLE widgets.tally")},
            gone={
                (short[r["topic"]], r["key"]): r["sequence"] for r in await self._rows("TABLE widgets.gone")
            },
            decisions={r["command_id"]: (r["status"], r["events"]) for r in decisions},
            offsets=dict(offsets),
            seen={r["message_id"] for r in await self._rows("TABLE widgets.inbox")},
            effects={r["cause"] for r in await self._rows("TABLE widgets.effect")},
            letters={
                (r["partition"], r["record_offset"]): (r["state"], r["parked"])
                for r in await self._rows("TABLE widgets.dead_letter")
            },
            outbox=[r[0] for r in await self._rows("SELECT event_id FROM widgets.outbox ORDER BY id")],
            positions={
                (r["group_name"], r["topic"], r["partition"]): r["next_offset"]
                for r in await self._rows("TABLE widgets.position UNION ALL TABLE read_widgets.position")
            },
            cards={r[0]: tuple(r)[1:] for r in await self._rows("TABLE read_widgets.card")},
            blotted={
                (short[r["topic"]], r["key"]): r["body"]
                for r in await self._rows("SELECT * FROM read_widgets.dead_letter WHERE closed_at IS NULL")
            },
        )

    async def _rows(self, query: str) -> list[Any]:
        return await self.db.fetch(query)
