"""One run: a stack, load and faults for so many seconds, rest, and then the judge."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.local.servers import Servers
from infra.settings import Settings
from producers.send import Sender
from tests.chaos.checker import check, tails
from tests.chaos.compaction import compact
from tests.chaos.crowd import Crowd, Habits
from tests.chaos.delivery import Load
from tests.chaos.ledger import Attempt, Ledger, read
from tests.chaos.nemesis import Nemesis
from tests.chaos.people import Door
from tests.chaos.plan import Fault
from tests.chaos.planting import plant
from tests.chaos.poison import Cabinet
from tests.chaos.processes import FROZEN_SECONDS, NAMES, Processes, Rig
from tests.chaos.rebuilt import compare_rebuilt
from tests.chaos.rest import come_to_rest
from tests.chaos.stage import fresh_database, fresh_topics
from tests.chaos.tally import Tally
from tests.chaos.threads import in_thread
from tests.chaos.verdict import Verdict

REST_SECONDS: Final = 120.0
"""So long all of it may take to come to rest when the load is over."""


@dataclass(frozen=True)
class Run:
    """What to do. `whole`: also force compaction at the end, look at the tails again, and build anew."""

    seconds: float
    seed: int
    plan: Sequence[Fault]
    rig: Rig
    habits: Habits = field(default_factory=Habits)
    frozen_seconds: float = FROZEN_SECONDS
    rest_seconds: float = REST_SECONDS
    poison: bool = True
    whole: bool = True


@dataclass
class Outcome:
    """What came of it."""

    run: Run
    tally: Tally
    attempts: Sequence[Attempt]
    counts: Mapping[str, int]
    verdict: Verdict
    restless: Sequence[str]
    drained_s: float

    @property
    def line(self) -> dict[str, Any]:
        """The JSON line: what was done, what happened, and each kind of wrong."""
        acked = {each.id for each in self.attempts if each.outcome == "acked"}
        refused = {each.id for each in self.attempts if each.outcome == "refused"}
        unknown = sum(each.outcome == "unknown" for each in self.attempts)
        sent = {
            "seed": self.run.seed,
            "seconds": self.run.seconds,
            "acked": len(acked),
            "unknown": unknown,
            "refused": len(refused - acked),
            "duplicates_sent": self.counts["duplicates"],
            "poison": self.counts["poison"],
            "kills": self.tally.kills.total(),
            "freezes": self.tally.freezes.total(),
            "restarts": self.tally.restarts.total(),
        }
        found = {
            name: getattr(self.verdict, name)
            for name in (
                *("lost", "doubled", "out_of_order", "dead", "events_missing", "events_extra"),
                *("tail_wrong", "answer_wrong"),
            )
        }
        control = {"control": self.run.rig.control} if self.run.rig.control else {}
        end = {"stuck": len(self.restless), "drained_s": round(self.drained_s, 1)}
        return sent | found | end | control

    @property
    def failed(self) -> bool:
        """Whether any promise was broken."""
        return bool(self.verdict.wrongs or self.restless)


async def chaos(run: Run, servers: Servers, folder: Path, tally: Tally) -> Outcome:
    """Do it on running servers, in a database and with topics of its own; `folder` gets logs and ledger."""
    async with fresh_database(servers) as settings:
        await fresh_topics(settings)
        env = {**servers.env, "PICKLY_DATABASE": settings.database}
        processes = Processes(folder, env, run.rig, tally)
        processes.frozen_seconds = run.frozen_seconds
        try:
            await in_thread(processes.start)
            tally.say(f"ready    {len(NAMES)} processes; load and faults for {run.seconds:.0f} s")
            return await _judged(run, servers, processes, settings, folder, tally)
        finally:
            await in_thread(processes.stop)


async def _judged(
    run: Run, servers: Servers, processes: Processes, settings: Settings, folder: Path, tally: Tally
) -> Outcome:
    keeping = asyncio.create_task(processes.keep())
    try:
        load = await _struck(run, servers, processes, settings, folder, tally)
        tally.say("calm     the load is over; waiting until everything rests")
        await processes.retire("clock")  # its ticks would come between two looks of the judge
        drained, restless = await come_to_rest(settings, run.rest_seconds)
    finally:
        keeping.cancel()
    tally.say(f"rest     after {drained:.1f} s, {len(restless)} not at rest; the judge reads all")
    attempts = read(folder / "ledger")
    verdict = await check(attempts, settings, answers_wrong=load.wrong_answers)
    if run.whole and not restless:
        await _compacted_and_rebuilt(servers, processes, settings, verdict, tally)
    return Outcome(run, tally, attempts, load.counts, verdict, restless, drained)


async def _struck(
    run: Run, servers: Servers, processes: Processes, settings: Settings, folder: Path, tally: Tally
) -> Load:
    """Load and faults together; returns when all is calm."""
    nemesis = Nemesis(servers, processes, settings, tally, run.seed)
    async with _loading(run, processes.url, settings, folder) as load:
        crowd = Crowd(load, run.habits)
        crowd.begin()
        cabinet = Cabinet(run.seed)
        planting = asyncio.create_task(plant(load, settings.kafka, cabinet)) if run.poison else None
        telling = asyncio.create_task(_tell(load, tally))
        try:
            await asyncio.gather(nemesis.carry_out(run.plan), asyncio.sleep(run.seconds))
            await processes.calm_down()
        finally:
            load.over.set()
            telling.cancel()
        await crowd.end()
        if planting is not None:
            await planting
    return load


@asynccontextmanager
async def _loading(run: Run, url: str, settings: Settings, folder: Path) -> AsyncIterator[Load]:
    ledger, sender = Ledger(folder / "ledger"), Sender(settings)
    await sender.start()
    try:
        async with Door(url, settings, run.seed) as door:
            chance = random.Random(f"load/{run.seed}")
            yield Load(door, sender, ledger, chance)
    finally:
        await sender.stop()
        ledger.close()


async def _tell(load: Load, tally: Tally) -> None:
    before: Counter[str] = Counter()
    while True:
        await asyncio.sleep(10)
        new, before = load.counts - before, load.counts.copy()
        told = f"{load.counts['acked']} acknowledged, {new['acked'] / 10:.0f} a second"
        tally.say(f"load     {told}; {len(load.wrong_answers)} wrong answers")


async def _compacted_and_rebuilt(
    servers: Servers, processes: Processes, settings: Settings, verdict: Verdict, tally: Tally
) -> None:
    began = time.monotonic()
    too_many = await compact(settings)
    if too_many:
        verdict.add("tail_wrong", f"the broker did not compact: {too_many} records too many")
    for wrong in await tails(settings):
        verdict.add("tail_wrong", f"after compaction: {wrong}")
    tally.say(f"tails    looked at again after compaction, which took {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    await in_thread(processes.stop)
    async with fresh_database(servers) as scratch:
        differences = await compare_rebuilt(settings, scratch, processes)
    for difference in differences:
        verdict.add("answer_wrong", f"rebuilt: {difference}")
    tally.say(f"rebuilt  read models in {time.monotonic() - began:.1f} s, {len(differences)} rows differ")
