"""Marks letters at a rate, oldest first, and waits for what their groups make of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.ops import dead_letters
from infra.ops.dead_letters import Filter, Found, LetterError, Place

if TYPE_CHECKING:
    from asyncpg import Connection

AT_ONCE: Final = 1_000
"""Letters marked in one transaction when no rate is given."""
LOOK_EVERY: Final = 0.2
PATIENCE: Final = 20.0
"""Seconds without any progress after which the tool waits no more; the marks stay."""
STUCK: Final = (
    "still marked: their group does not run, something it needs is away, or an earlier letter of their key is"
    " open. The marks stay."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many letters were marked (with `dry_run`: would have been), and in which state they are now."""

    letters: int
    states: Counter[str] = field(default_factory=Counter)

    @property
    def whole(self) -> bool:
        """Whether every one of them is closed."""
        return self.letters == self.states["closed"] + self.states["dropped"]

    def summary(self) -> str:
        """One line for each that there is."""
        if not self.letters:
            return "no open letter matches; nothing was changed"
        words = {
            "closed": "replayed",
            "dropped": "dropped; where it was a command, its sender is told that it failed",
            "open": "failed again and are open; ./pickly dead show tells why",
            "replay": STUCK,
            "drop": STUCK,
        }
        return "\n".join(f"{self.states[each]} {text}" for each, text in words.items() if self.states[each])


async def replay(db: "Connection", which: Filter, *, dry_run: bool, rate: int | None) -> Outcome:
    """Mark what matches and what is parked behind it, also what is parked there meanwhile; wait for the end.

    `rate`: at most so many a second. Raises LetterError when one letter was named and is not open.
    """
    found = await dead_letters.candidates(db, which)
    if not found and which.place is not None:
        raise await _why_not(db, which.place)
    if dry_run:
        return Outcome(len(found))
    marked: dict[Place, Found] = {}
    states: Counter[str] = Counter()
    while fresh := [letter for letter in found if letter.place not in marked]:
        await _mark(db, fresh, which, rate, marked)
        states = await _settled(db, list(marked.values()))
        if states["replay"]:
            break
        keys = {(each.place.group, each.place.topic, each.key) for each in marked.values() if each.key}
        found = await dead_letters.candidates(db, which, keys)
    return Outcome(len(marked), states)


async def _mark(
    db: "Connection", letters: Sequence[Found], which: Filter, rate: int | None, marked: dict[Place, Found]
) -> None:
    size = rate or AT_ONCE
    for start in range(0, len(letters), size):
        began = time.monotonic()
        done = await dead_letters.mark(db, letters[start : start + size], "replay", str(which))
        marked |= {letter.place: letter for letter in done}
        if rate is not None and start + size < len(letters):
            await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))


async def drop(db: "Connection", place: Place, reason: str) -> Outcome:
    """Mark one letter to be dropped, and wait. Raises LetterError when there is no such open letter."""
    row, _ = await dead_letters.read(db, place)
    if row["closed_at"] is not None:
        raise await _why_not(db, place)
    letter = Found(row["schema_name"], place, row["key"], row["appended_at"])
    done = await dead_letters.mark(db, [letter], "drop", str(place), reason)
    if not done:
        raise await _why_not(db, place)
    return Outcome(1, await _settled(db, done))


async def _why_not(db: "Connection", place: Place) -> LetterError:
    row, _ = await dead_letters.read(db, place)
    return LetterError(f"{place} is not open but {row['state']}; nothing was changed")


async def _settled(db: "Connection", letters: Sequence[Found]) -> Counter[str]:
    """The letters' states when none is marked any more, or when nothing has moved for PATIENCE seconds."""
    last: Counter[str] = Counter()
    moved = time.monotonic()
    while True:
        states = await dead_letters.states(db, letters)
        if states != last:
            last, moved = states, time.monotonic()
        if not states["replay"] + states["drop"] or time.monotonic() - moved > PATIENCE:
            return states
        await asyncio.sleep(LOOK_EVERY)
