"""What ought to be: the commands of each key, one after the other, in the order of their offsets.

It is told how far positions have moved and which letters were closed, and says what the tables must hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from tests.infra.runtime.machine.broker import Sent
from tests.infra.runtime.machine.contract import BUG

At = tuple[int, int]
"""Partition and offset."""


@dataclass
class Letter:
    """A command that was set aside."""

    sent: Sent
    parked: bool
    state: str = "open"


@dataclass(frozen=True)
class Event:
    """What a state topic must say of a key at a version; `value` None is a tombstone."""

    topic: str
    key: str
    version: int
    value: str | int | None


@dataclass
class Oracle:
    """The tables as they must be. `widget` and `tally` are the names of the two state topics here."""

    widgets: dict[str, tuple[str, int, list[int]]] = field(default_factory=dict)
    tallies: dict[str, tuple[int, int]] = field(default_factory=dict)
    gone: dict[tuple[str, str], int] = field(default_factory=dict)
    decisions: dict[UUID, tuple[str, int]] = field(default_factory=dict)
    effects: set[UUID] = field(default_factory=set)
    events: dict[UUID, Event] = field(default_factory=dict)
    letters: dict[At, Letter] = field(default_factory=dict)
    seen: set[UUID] = field(default_factory=set)
    taken: dict[int, int] = field(default_factory=dict)

    def take(self, at: At, sent: Sent, *, bug: bool) -> None:
        """The position has passed a command; `taken` tells how far each partition was read."""
        self.taken[at[0]] = at[1] + 1
        if sent.id in self.seen:
            return
        self.seen.add(sent.id)
        behind = sent.key in self.parked_keys() and not sent.garbled
        if not behind and not sent.garbled and not (bug and sent.value == BUG):
            self._decide(sent)
            return
        self.letters[at] = Letter(sent, parked=behind)
        self.decisions[sent.id] = ("parked", 0)

    def close(self, at: At, state: str, *, bug: bool) -> None:
        """A letter was closed, by a replay or by a drop."""
        letter = self.letters[at]
        assert letter.state == "open", f"{at} was closed twice"
        letter.state = state
        if state == "dropped":
            self.decisions[letter.sent.id] = ("failed", 0)
            return
        assert not letter.sent.garbled, f"{at} holds no message, and was replayed"
        assert not (bug and letter.sent.value == BUG), f"{at} was replayed with the bug still there"
        earlier = [a for a, other in self.open_letters() if other.sent.key == letter.sent.key and a < at]
        assert not earlier, f"{at} was replayed before {earlier} of its key"
        self._decide(letter.sent)

    def open_letters(self) -> Iterator[tuple[At, Letter]]:
        """In the order of their offsets."""
        return ((at, letter) for at, letter in sorted(self.letters.items()) if letter.state == "open")

    def parked_keys(self) -> set[str]:
        """Keys that wait."""
        return {letter.sent.key for _, letter in self.open_letters()}

    def _decide(self, sent: Sent) -> None:
        events = self._drop(sent.key) if sent.kind == "Drop" else self._put(sent)
        self.events |= {uuid5(sent.id, f"widgets/{n}"): event for n, event in enumerate(events)}
        no = {"no": "refused", "same": "unchanged"}.get(sent.value, "refused")
        self.decisions[sent.id] = ("decided" if events else no, len(events))

    def _drop(self, key: str) -> list[Event]:
        if key not in self.widgets:
            return []
        (_, version, _), (_, counted) = self.widgets.pop(key), self.tallies.pop(key)
        self.gone |= {("widget", key): version + 1, ("tally", key): counted + 1}
        return [Event("widget", key, version + 1, None), Event("tally", key, counted + 1, None)]

    def _put(self, sent: Sent) -> list[Event]:
        if sent.value in ("no", "same"):
            return []
        key = sent.key
        _, version, numbers = self.widgets.get(key, ("", self.gone.get(("widget", key), 0), []))
        total, counted = self.tallies.get(key, (0, self.gone.get(("tally", key), 0)))
        self.widgets[key] = (sent.value, version + 1, [*numbers, sent.n])
        self.tallies[key] = (total + 1, counted + 1)
        if sent.value == "effect":
            self.effects.add(sent.id)
        return [
            Event("widget", key, version + 1, sent.value),
            Event("tally", key, counted + 1, total + 1),
        ]
