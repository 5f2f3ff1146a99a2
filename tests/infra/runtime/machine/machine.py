"""The state machine: what may happen to two groups, a broker, a relay and their database, in any order."""

import copy
from collections.abc import Awaitable
from typing import ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.infra.runtime.machine.house import House, Saved
from tests.infra.runtime.machine.oracle import Oracle
from tests.infra.runtime.machine.scene import Scene
from tests.infra.runtime.machine.strategies import (
    DROP,
    KEYS,
    Wishes,
    Work,
    keys,
    steps,
    teams,
    wishes,
    works,
)

T = TypeVar("T")


class RuntimeMachine(RuleBasedStateMachine):
    """Every rule is something that happens in production; after each one the tables must be the oracle's."""

    house: ClassVar[House]

    def __init__(self) -> None:
        super().__init__()
        self.sound = True
        self.scene = Scene(self.house)
        self.saved: tuple[Saved, Oracle] | None = None
        self.restored = False
        self._do(self.scene.begin(), "example")

    @rule(work=works, again=st.integers(0, 2), times=st.integers(1, 6))
    def a_member_polls(self, work: Work, again: int, times: int) -> None:
        """`again`: with some records that it has applied before."""
        self._prepare(work)
        member = self.scene.team(work.team).busy(work.member)
        for _ in range(times):
            self._do(self.scene.poll(work.team, member, work.counts, again), "poll")
            self._do(self.scene.heal(), "healing")
            self.the_tables_are_as_they_must_be()

    @rule(work=works, steps=steps, replaying=st.booleans())
    def a_member_dies(self, work: Work, steps: int, replaying: bool) -> None:
        """At a point of its sequence, while it polls or while it replays letters."""
        self._prepare(work)
        if replaying:
            self.letters_are_marked(state="replay", keys=set(KEYS), worked_off=False)
        self._do(self.scene.die(work, steps, replaying), "attempt on a life")
        self._do(self.scene.heal(), "healing")

    @rule(work=works, steps=steps)
    def a_member_is_overtaken(self, work: Work, steps: int) -> None:
        """At a point of its sequence all it owns goes to the other member, which polls the same."""
        self._prepare(work)
        self._do(self.scene.overtake(work, steps), "attempt to overtake")
        self._do(self.scene.heal(), "healing")

    def _prepare(self, work: Work) -> None:
        """New commands for deciders, new events for read models."""
        self.scene.commands_arrive(work.wanted)
        if work.team == "projecting":
            self._do(self.scene.decide_and_send(twice=work.sent_twice), "deciding")

    @rule(team=teams, which=st.integers(0, 5))
    def a_partition_goes_to_the_other_member(self, team: str, which: int) -> None:
        chosen = self.scene.team(team)
        self._do(chosen.hand_over(chosen.places[which % len(chosen.places)]), "rebalance")

    @rule(wanted=wishes, most=st.integers(1, 8), dies=st.sampled_from(("", "before commit", "before delete")))
    def the_relay_sends(self, wanted: Wishes, most: int, dies: str) -> None:
        self.scene.commands_arrive(wanted)
        self._do(self.scene.decide(), "deciding")
        if self._do(self.scene.relay.send(most, dies), "relay"):
            self.house.done[f"relay dies {dies}" if dies else "relay sends"] += 1

    @rule(wanted=wishes)
    def everybody_keeps_up(self, wanted: Wishes) -> None:
        self.scene.commands_arrive(wanted)
        self._do(self.scene.keep_up(), "keeping up")

    @rule(decider=st.booleans(), projection=st.booleans())
    def code_is_deployed(self, decider: bool, projection: bool) -> None:
        self._operators_act()
        self.house.bugs.decider, self.house.bugs.projection = decider, projection

    @rule(
        state=st.sampled_from(("replay", "replay", "drop")),
        keys=st.sets(keys, min_size=1),
        worked_off=st.booleans(),
    )
    def letters_are_marked(self, state: str, keys: set[str], worked_off: bool) -> None:
        """And perhaps the members get round to them before anything else happens."""
        self._operators_act()
        self._do(self.house.mark(state, keys), f"mark {state}")
        if worked_off:
            self.house.done["letters"] += self._do(self.scene.work_off(), "replay")

    @rule(
        dropped=st.sets(keys),
        tail=st.sampled_from((0, 0, 2)),
        days=st.sampled_from((0, 9, 9)),
        rebuilt=st.sampled_from((False, False, True)),
    )
    def days_pass_and_the_log_is_compacted(
        self, dropped: set[str], tail: int, days: int, rebuilt: bool
    ) -> None:
        """Nobody reads what is dropped meanwhile; perhaps the read model is built again from what is left."""
        self.scene.commands_arrive([(key, DROP) for key in sorted(dropped)])
        self._do(self.scene.decide_and_send(), "deciding")
        self._do(self.scene.verdict.check(), "step")
        self.scene.log.clock.pass_days(days)
        self.scene.log.compact(tail)
        if rebuilt:
            self._do(self.scene.rebuild(), "rebuild")

    @rule(noticed=st.booleans())
    def the_database_is_backed_up_or_restored(self, noticed: bool) -> None:
        """Restored to the last backup, if there is one; the members may notice it by the fence alone."""
        if self.saved is None:
            self.saved = (self._do(self.house.save(), "backup"), copy.deepcopy(self.scene.verdict.oracle))
            return
        (rows, oracle), self.saved, self.restored = self.saved, None, True
        self._do(self.house.restore(rows), "restore")
        self.scene.verdict.go_back(oracle)
        if noticed:
            self._do(self.scene.restart_all(), "restart")

    @invariant()
    def the_tables_are_as_they_must_be(self) -> None:
        self._do(self.scene.verdict.check(), "step")

    def teardown(self) -> None:
        """An example that went well must also end well: everything decided, shown, and in the log."""
        if self.sound:
            self._do(self.scene.finish(), "end")

    def _operators_act(self) -> None:
        """New code and letters by hand are in no backup, and wait until what was restored has caught up.

        Otherwise another decision could get a version that is on the log already.
        """
        self.saved = None
        if self.restored:
            self._do(self.scene.catch_up(), "catching up")
            self.the_tables_are_as_they_must_be()
            self.restored = False

    def _do(self, work: Awaitable[T], what: str) -> T:
        self.house.done[what] += 1
        self.sound = False
        result = self.house.run(work)
        self.sound = True
        return result
