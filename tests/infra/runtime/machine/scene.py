"""What goes on in an example: a log, a relay, two teams, and what they do as coroutines."""

import asyncio
from typing import Final
from uuid import UUID

from tests.infra.runtime.machine.broker import Clock, Log, Relay, Sent
from tests.infra.runtime.machine.contract import BLOT
from tests.infra.runtime.machine.faults import CrashError, crash
from tests.infra.runtime.machine.house import House
from tests.infra.runtime.machine.strategies import AGAIN, DROP, GARBLED, KEYS, Counts, Wishes, Work
from tests.infra.runtime.machine.team import Takes, Team
from tests.infra.runtime.machine.verdict import Verdict
from tests.infra.runtime.widgets import OWNER

EVERYTHING: Final = 9_999
SO_MANY: Final = {BLOT: 2, GARBLED: 5}
"""Of each in an example: more would open the circuit, which has tests of its own."""


class Scene:
    """One example's world; its database and groups are those of the house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.log = Log(house.contract, Clock())
        self.relay = Relay(house.relay, self.log)
        self.verdict = Verdict(house, self.log)
        self.sent: list[Sent] = []

    async def begin(self) -> None:
        """Empty tables, both bugs, members that have just started."""
        self.house.bugs.decider = self.house.bugs.projection = True
        self.house.faults.disarm()
        await self.house.wipe("widgets", "read_widgets")
        await self.house.deciding.begin(self.log)
        await self.house.projecting.begin(self.log)

    def commands_arrive(self, wanted: Wishes) -> None:
        """Append what people wish for."""
        for key, value in wanted:
            if value == AGAIN and self.sent:
                again = [sent for sent in self.sent if sent.key == key] or self.sent
                self._append(again[len(again) // 2])
                self.house.done["command again"] += 1
                continue
            n, wished = len(self.sent), [sent.value for sent in self.sent]
            if wished.count(value) >= SO_MANY.get(value, n + 1):
                value = "1"
            kind = "Drop" if value == DROP else "Put"
            self.sent.append(Sent(UUID(int=n, version=4), key, kind, value, n, garbled=value == GARBLED))
            self._append(self.sent[-1])

    def _append(self, sent: Sent) -> None:
        c = self.house.contract.widgets
        if sent.kind == "Drop":
            self.log.append(c.Drop(key_=sent.key, owner=OWNER, n=sent.n), sent)
        else:
            self.log.append(c.Put(key_=sent.key, owner=OWNER, n=sent.n, value=sent.value), sent)

    def team(self, name: str) -> Team:
        """`deciding` or `projecting`."""
        return self.house.deciding if name == "deciding" else self.house.projecting

    async def decide(self) -> None:
        """Let the deciders read everything."""
        while self.house.deciding.unread():
            for member in (0, 1):
                await self.poll("deciding", member, [EVERYTHING] * 6)

    async def decide_and_send(self, *, twice: bool = False) -> None:
        """And the relay send everything."""
        await self.decide()
        if twice:
            await self.relay.send(EVERYTHING, "before delete")
        while await self.relay.send(EVERYTHING):
            continue

    async def catch_up(self) -> None:
        """What a restore took back is decided again, by the code that decided it first."""
        await self.restart_all()
        await self.decide_and_send()

    async def work_off(self) -> int:
        """Everybody replays and drops what is marked; how many letters that were."""
        return sum(
            [await team.replay(n) for team in (self.house.deciding, self.house.projecting) for n in (0, 1)]
        )

    async def poll(self, name: str, member: int, counts: Counts, again: int = 0) -> int:
        """One poll of a member; how many records were new to it."""
        team = self.team(name)
        takes: Takes = {place: n for place, n in zip(team.places, counts, strict=False) if n}
        new = await team.poll(member, takes, again)
        self.house.done[f"records {name}"] += new
        self.house.done["fenced"], team.fenced = self.house.done["fenced"] + team.fenced, 0
        return new

    async def heal(self) -> None:
        """A read model that stopped as stale is built again; in production the supervisor does it."""
        if self.house.projecting.stale:
            await self.rebuild()

    async def rebuild(self) -> None:
        """The read model begins at the start of the log."""
        self.house.done["read model begun"] += 1
        await self.house.wipe("read_widgets")
        self.verdict.begin_read_model()
        await self.house.projecting.begin(self.log)

    async def keep_up(self) -> None:
        """Nothing is left to do for anybody."""
        await self.decide_and_send()
        while self.house.projecting.unread():
            for member in (0, 1):
                await self.poll("projecting", member, [EVERYTHING] * 6)
            await self.heal()

    async def restart_all(self) -> None:
        """Every member starts anew."""
        for team in (self.house.deciding, self.house.projecting):
            for member in (0, 1):
                await team.restart(member)

    async def die(self, work: Work, steps: int, replaying: bool) -> None:
        """Poll or replay, and die at the n-th point; another process takes over from what is committed."""
        team = self.team(work.team)
        member = team.busy(work.member)
        self.house.faults.arm(steps, crash)
        try:
            await (team.replay(member) if replaying else self.poll(work.team, member, work.counts))
        except CrashError as death:
            self.house.done[f"death {death}" + " of a replay" * replaying] += 1
            await team.members[member].connection.close()  # and with it the transaction ends
            await team.restart(member)
        self.house.faults.disarm()

    async def overtake(self, work: Work, steps: int) -> None:
        """Poll, and lose everything to the other member at the n-th point."""
        team = self.team(work.team)
        member, others = team.busy(work.member), list[asyncio.Task[None]]()

        async def the_other() -> None:
            for place in [place for place, owner in team.owners.items() if owner == member]:
                await team.hand_over(place)
            await self.poll(work.team, 1 - member, work.counts)

        async def meanwhile(point: str) -> None:
            self.house.done[f"overtaken {point}"] += 1
            others.append(asyncio.create_task(the_other()))
            if point == "before fence":  # later on the other one waits for our locks
                await others[0]

        self.house.faults.arm(steps, meanwhile)
        try:
            await self.poll(work.team, member, work.counts)
        finally:
            self.house.faults.disarm()
            await asyncio.gather(*others)

    async def finish(self) -> None:
        """Mend the bugs, close all letters, catch up; then the log must hold what the tables do."""
        await self.catch_up()
        await self.verdict.check()
        self.house.bugs.decider = self.house.bugs.projection = False
        while True:
            await self.keep_up()
            await self.verdict.check()
            if not self.verdict.open_letters:
                break
            await self.house.mark("replay", KEYS)
            await self.house.mark("drop", KEYS, "invalid_body")
            await self.work_off()
            await self.verdict.check()
        self.log.compact(0)
        self.verdict.check_end(self.sent)
        await self.rebuild()
        await self.keep_up()
        await self.verdict.check()
