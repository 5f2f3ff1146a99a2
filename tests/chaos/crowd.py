"""Many people at once: keys that live for a few seconds and then rest, over HTTP and straight to topics."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final, get_args
from uuid import UUID, uuid4

from schemas.things import NewThing
from schemas.types import ReactionKind
from tests.chaos import wishes
from tests.chaos.answers import check
from tests.chaos.delivery import Load, Via, attempt, deliver
from tests.chaos.lives import Life, PickLife, ReactionLife
from tests.chaos.wishes import Wish

KINDS: Final[tuple[ReactionKind, ...]] = get_args(ReactionKind)
SHARED_THINGS: Final = 200
RESTING: Final = 400
"""Picks that reactions may go to; older ones stay as they are for ever."""


@dataclass(frozen=True)
class Habits:
    """What the crowd is like. Shares are probabilities; `pause` is between two commands of a key, `late` how
    many seconds after its life a key hears an old command again."""

    lives: int = 90
    over_http: float = 0.5
    waiting: float = 0.2
    reactions: float = 0.35
    twice: float = 0.04
    repeated: float = 0.3
    bad: float = 0.05
    steps: tuple[int, int] = (4, 9)
    pause: tuple[float, float] = (0.05, 0.6)
    late: tuple[float, float] = (2.0, 10.0)
    looks: bool = True


class Crowd:
    """`begin` starts the lives; they end when the load is over, each after its step at hand."""

    def __init__(self, load: Load, habits: Habits) -> None:
        self._load = load
        self._habits = habits
        self._edges: list[tuple[UUID, ReactionKind, bool]] = []
        self._picked: set[tuple[UUID, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Start."""
        for _ in range(self._habits.lives):
            self._task(self._lives())

    async def end(self) -> None:
        """Returns when all have ended. Raises what a life raised."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)  # one that failed is kept until `end` raises what it raised

    async def _lives(self) -> None:
        over = self._load.over
        while not over.is_set():
            life = self._new_life()
            if isinstance(life, PickLife) and self._load.chance.random() < self._habits.bad:
                await self._knock(life)
            for _ in range(self._load.chance.randint(*self._habits.steps)):
                if not await self._step(life):
                    return
            self._rest(life)

    def _new_life(self) -> Life:
        chance = self._load.chance
        person = self._load.door.somebody(chance)
        if chance.random() >= self._habits.reactions:
            return PickLife(person, self._thing(person.id), chance)
        if self._edges and chance.random() < 0.9:
            pick_id, kind, sure = self._edges.pop(chance.randrange(len(self._edges)))
            return ReactionLife(person, pick_id, kind, chance, sure)
        return ReactionLife(person, uuid4(), chance.choice(KINDS), chance, sure=False)

    def _thing(self, person: UUID) -> NewThing:
        """Now and then one that others pick too, but never twice by the same person."""
        chance = self._load.chance
        ref = f"imdb:tt{chance.randrange(SHARED_THINGS):07}"
        if chance.random() < 0.2 and (person, ref) not in self._picked:
            self._picked.add((person, ref))
        else:
            ref = f"movielens:{uuid4().hex}"
        return NewThing(ref=ref, kind="film", title=f"The film {ref}")

    async def _step(self, life: Life) -> bool:
        """One command of the life; False when the run is over before it was acknowledged."""
        load, habits = self._load, self._habits
        step = life.step()
        wait = 3 if load.chance.random() < habits.waiting else 0
        if load.chance.random() < habits.twice:
            self._task(self._repeat(step.wish))
        delivered = await deliver(load, step.wish, iter(self._via, None), wait=wait)
        if delivered.outcome != "acked":
            if not load.over.is_set():
                load.wrong(step.wish, f"refused at the door: {delivered.answer}")
            return False
        if habits.looks:
            await check(load, life, step, delivered)
        await self._idle(load.chance.uniform(*habits.pause))
        return not load.over.is_set()

    async def _knock(self, life: PickLife) -> None:
        """A request that must be refused at the door, so that nothing of it is on a topic."""
        wish = wishes.publish(life.person, 0, life.thing, "a note")
        wish = replace(wish, body=(wish.body or b"").replace(b'"note"', b'"notes"'))
        delivered = await attempt(self._load, wish, "http", detail="bad request")
        if delivered.outcome == "acked":
            self._load.wrong(wish, "a field that nobody knows was accepted")

    def _via(self) -> Via:
        return "http" if self._load.chance.random() < self._habits.over_http else "topic"

    async def _idle(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the load."""
        try:
            async with asyncio.timeout(seconds):
                await self._load.over.wait()
        except TimeoutError:
            return

    async def _repeat(self, wish: Wish) -> None:
        """The same command once more, the same way or the other one."""
        self._load.counts["duplicates"] += 1
        await attempt(self._load, wish, self._via(), detail="duplicate")

    def _rest(self, life: Life) -> None:
        chance = self._load.chance
        if isinstance(life, PickLife):
            sure = not life.was_deleted
            self._edges += [(life.pick_id, kind, sure) for kind in KINDS]
            del self._edges[:-RESTING]
        if chance.random() < self._habits.repeated:
            self._task(self._late(life, chance.uniform(*self._habits.late)))

    async def _late(self, life: Life, seconds: float) -> None:
        await self._idle(seconds)
        if not self._load.over.is_set():
            await self._repeat(self._load.chance.choice(life.wishes))
