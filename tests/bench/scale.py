"""What a command costs with more rows: CPU of all that is behind the gateway, at 1, 10 and 30 times as many.

One process each for `curation`, the relay and both projections. So many picks are there already, in all
tables that a pick leaves a row in (the decider's and the runtime's, and both read models), vacuumed. Then a
backlog of new picks is worked off until both read models show it. CPU of the four processes and of
PostgreSQL, per command. The repetitions at one size follow each other, for rows only ever get more.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from consumers.projections.picks import store as picks
from consumers.projections.things import store as things
from infra.partitions import partition_of
from infra.settings import Settings
from schemas.picks import PickPublished
from schemas.topics import PICK_COMMANDS, PICK_EVENTS
from tests.bench import backlog, cpu, made
from tests.bench.document import Bar, Row
from tests.bench.effort import Effort
from tests.bench.ground import inside, platform, postmaster, processes

if TYPE_CHECKING:
    from asyncpg import Connection

NAME = "scale"
ROWS = 5_000
TIMES = (1, 10, 30)
COMMANDS = 3_000
PORTION = 1_000
PARTS = ("curation", "relay", "read_picks", "read_things")
PATIENCE = 300.0
Costs = dict[str, float]
"""CPU microseconds per command, by process."""


async def scale(config: Settings, effort: Effort) -> list[Row]:
    """Two rows: ten times the rows against one, and thirty times."""
    costs: dict[int, list[Costs]] = {}
    async with platform(config) as own, inside(own, "read_picks, read_things") as db:
        with processes(own) as stack:
            there = 0
            for times in TIMES:
                await _fill(own, db, range(there, effort.of(ROWS) * times))
                there = effort.of(ROWS) * times
                stack.start(*PARTS)
                pids = {name: stack.processes[name].pid for name in PARTS}
                costs[times] = []
                for turn in range(effort.repetitions + 1):
                    commands = range(there, there + effort.of(COMMANDS))
                    cost = await _cost(own, db, pids, commands)
                    there = commands.stop
                    if turn:
                        costs[times].append(cost)
                stack.stop()
    return [_row(times, costs, effort.of(ROWS)) for times in TIMES[1:]]


def _row(times: int, costs: dict[int, list[Costs]], rows: int) -> Row:
    more, few = costs[times], costs[TIMES[0]]
    return Row.of(
        NAME,
        f"cost of a command with {rows * times:,} picks",
        f"itself with {rows:,} picks",
        "CPU microseconds per command",
        [sum(cost.values()) for cost in more],
        [sum(cost.values()) for cost in few],
        Bar(at_most=1.2),
        **{f"{name} us": min(cost[name] for cost in more) for name in more[0]},
    )


async def _cost(own: Settings, db: "Connection", pids: dict[str, int], commands: range) -> Costs:
    """Publish these picks, and wait until they are shown."""
    server = await postmaster(db)
    before = {name: cpu.spent(pid) for name, pid in pids.items()}
    postgres = cpu.spent_by_family(server)
    wishes = map(made.publish, commands)
    await backlog.put(own, ((wish, wish.author_id) for wish in wishes))
    await _until_shown(db, commands[-1] + 1)
    used = {name: cpu.spent(pid) - before[name] for name, pid in pids.items()}
    used["PostgreSQL"] = cpu.spent_by_family(server) - postgres
    return {name: seconds / len(commands) * 1e6 for name, seconds in used.items()}


async def _until_shown(db: "Connection", total: int) -> None:
    """Both read models have so many picks: the last ones of every partition are there."""
    last = [made.publish(number).pick_id for number in range(max(0, total - PORTION), total)]
    async with asyncio.timeout(PATIENCE):
        for table in ("read_picks.pick", "read_things.pick_edge"):
            shown = f"SELECT count(*) FROM {table} WHERE pick_id = ANY($1)"
            while await db.fetchval(shown, last) < len(last):  # noqa: ASYNC110  # no event tells it
                await asyncio.sleep(0.1)


async def _fill(own: Settings, db: "Connection", numbers: range) -> None:
    """Picks that went the whole way, without their messages."""
    async with inside(own, "curation") as decider:
        if numbers.start == 0:
            known = [made.thing(number) for number in range(made.THINGS)]
            await things.show(db, known)
            await _copy(decider, "thing", [dict(thing) for thing in known])
        for start in range(numbers.start, numbers.stop, PORTION):
            shown = [made.published(number) for number in range(start, min(start + PORTION, numbers.stop))]
            await _decided(decider, shown)
            await picks.show(db, shown)
            await things.count(db, [things.Edge.of(pick) for pick in shown])
    await db.execute("VACUUM ANALYZE")
    await db.execute("CHECKPOINT")


async def _decided(db: "Connection", shown: Sequence[PickPublished]) -> None:
    """What the decider and its runtime keep of picks that were published."""
    commands = {pick.pick_id: uuid4() for pick in shown}
    await _copy(
        db,
        "pick",
        [
            dict(pick)
            | {"tags": list(pick.tags), "changed_by": commands[pick.pick_id]}
            | {"partition": partition_of(pick.key, PICK_COMMANDS)}
            for pick in shown
        ],
    )
    await db.executemany(
        "INSERT INTO inbox VALUES ('curation', $1, now())", [(command,) for command in commands.values()]
    )
    await db.executemany(
        DECISION, [(commands[pick.pick_id], pick.author_id, pick.about, _offsets(pick)) for pick in shown]
    )


DECISION = """
INSERT INTO decision (command_id, actor, type, status, resource, events, offsets, at)
VALUES ($1, $2, 'PublishPick', 'decided', $3, 1, $4, now())
"""


def _offsets(pick: PickPublished) -> str:
    return json.dumps({str(uuid4()): [PICK_EVENTS.name, partition_of(pick.key, PICK_EVENTS), pick.version]})


async def _copy(db: "Connection", table: str, rows: Sequence[Mapping[str, object]]) -> None:
    await db.copy_records_to_table(
        table, columns=list(rows[0]), records=[tuple(row.values()) for row in rows]
    )
