"""The life of a key: commands one after the other for a few seconds, and what they must lead to."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from schemas import ids
from schemas.reactions import React, Unreact
from schemas.things import NewThing
from schemas.types import ReactionKind
from tests.chaos import wishes
from tests.chaos.people import Person
from tests.chaos.wishes import Wish


@dataclass(frozen=True)
class PickSeen:
    """A pick as its author must see it; version 0 is none."""

    version: int = 0
    note: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class Step:
    """A wish and what it must come to: refused for `reason`, or not refused."""

    wish: Wish
    reason: str | None = None


@dataclass
class PickLife:
    """A pick of one person, from its publication on. `seen` is what the author must see after all so far."""

    person: Person
    thing: NewThing
    chance: random.Random
    seen: PickSeen = PickSeen()
    was_deleted: bool = False
    wishes: list[Wish] = field(default_factory=list)

    @property
    def pick_id(self) -> UUID:
        """The pick."""
        return ids.pick_id(self.person.id, ids.thing_id(self.thing.ref))

    def step(self) -> Step:
        """The next command of the key."""
        if self.seen.version == 0:
            name = "publish"
        else:
            acts = DELETED if self.seen.deleted else PUBLISHED
            (name,) = self.chance.choices(list(acts), list(acts.values()))
        step = ACTS[name](self, len(self.wishes) + 1)
        self.wishes.append(step.wish)
        return step

    def _publish(self, seq: int) -> Step:
        note = f"note {seq}"
        wish = wishes.publish(self.person, seq, self.thing, note)
        if self.seen.version:
            return Step(wish, "deleted" if self.seen.deleted else "already_picked")
        self.seen = PickSeen(1, note)
        return Step(wish)

    def _edit(self, seq: int) -> Step:
        note = f"note {seq}"
        match = f'"{self.seen.version}"' if self.chance.random() < 0.6 else "*"
        wish = wishes.edit(self.person, seq, self.pick_id, note, match)
        if self.seen.deleted:
            return Step(wish, "deleted")
        self.seen = PickSeen(self.seen.version + 1, note)
        return Step(wish)

    def _edit_stale(self, seq: int) -> Step:
        match = f'"{self.seen.version + 7}"'
        return Step(wishes.edit(self.person, seq, self.pick_id, f"note {seq}", match), "stale")

    def _delete(self, seq: int) -> Step:
        match = f'"{self.seen.version}"' if self.chance.random() < 0.3 else None
        wish = wishes.delete(self.person, seq, self.pick_id, match)
        if not self.seen.deleted:
            self.seen = replace(self.seen, version=self.seen.version + 1, deleted=True)
            self.was_deleted = True
        return Step(wish)

    def _restore(self, seq: int) -> Step:
        wish = wishes.restore(self.person, seq, self.pick_id)
        if self.seen.deleted:
            self.seen = replace(self.seen, version=self.seen.version + 1, deleted=False)
        return Step(wish)


ACTS: Final[dict[str, Callable[[PickLife, int], Step]]] = {
    "publish": PickLife._publish,
    "edit": PickLife._edit,
    "edit stale": PickLife._edit_stale,
    "delete": PickLife._delete,
    "restore": PickLife._restore,
}
PUBLISHED: Final = {"edit": 70, "edit stale": 5, "delete": 12, "restore": 5, "publish": 8}
DELETED: Final = {"restore": 60, "edit": 15, "edit stale": 5, "delete": 10, "publish": 10}


@dataclass
class ReactionLife:
    """One edge. `sure`: its pick is published and was never deleted, so that nothing is refused, and nobody
    else reacts to it in this way, so that the pick shows one reaction of the kind, or none."""

    person: Person
    pick_id: UUID
    kind: ReactionKind
    chance: random.Random
    sure: bool
    on: bool = False
    wishes: list[Wish] = field(default_factory=list)

    def step(self) -> Step:
        """React or take it back; now and then what is so already."""
        self.on = self.on if self.chance.random() < 0.1 else not self.on
        kind = React if self.on else Unreact
        command = kind(pick_id=self.pick_id, account_id=self.person.id, kind=self.kind)
        wish = wishes.reaction(command, self.person, len(self.wishes) + 1)
        self.wishes.append(wish)
        return Step(wish)


Life = PickLife | ReactionLife
