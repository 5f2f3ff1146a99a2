"""What curation and social must decide, said a second time, from the log alone and without their code.

The model knows what happens within a day; tombstones of deleted picks (30 days) and sweeps (a day) are
beyond a run. Two races are settled by what was observed, and judged elsewhere: whose transaction added a
thing, and whether social had heard of a deletion when a reaction came.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from pydantic import ValidationError

from schemas.message import Command, Message, Tick
from schemas.picks import DeletePick, EditPick, PublishPick, RestorePick
from schemas.reactions import React, Unreact
from schemas.topics import PICK_COMMANDS, PICK_EVENTS, REACTION_COMMANDS, REACTION_EVENTS, THING_EVENTS
from tests.chaos.log import Entry, uuid_of

NO_META = frozenset({"oversize", "undecodable_headers", "undecodable_key", "no_type", "bad_envelope"})
"""Letters of records whose envelope nobody read: they have no decision and no inbox row, one letter each."""
UNPLANNED = "not a message, and nobody planted it"
Content = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """An event that a command caused: the state of its key at a version, None for a tombstone."""

    id: UUID
    topic: str
    key: str
    version: int
    content: Content | None


@dataclass(frozen=True)
class Decided:
    """What becomes of a command. `status` is None where there is no decision: ticks, unread envelopes."""

    entry: Entry
    status: str | None
    reason: str | None = None
    after: UUID | None = None
    events: tuple[Made, ...] = ()


@dataclass
class Subject:
    """A key as it stands: its version, the command that made it so, its state or None."""

    version: int = 0
    changed_by: UUID | None = None
    content: Content | None = None
    was_closed: bool = False


@dataclass
class Model:
    """Takes command topics in log order. `dead_for` tells why an entry must die, or None.

    `adders`: the commands that added their thing. `saw_closed`: the reactions that were refused because
    social knew its pick to be deleted; believed only of picks that were deleted once.
    """

    poison: Mapping[str, str]
    adders: Collection[UUID] = ()
    saw_closed: Collection[UUID] = ()
    decided: dict[UUID, Decided] = field(default_factory=dict)
    letters: dict[tuple[str, str], str] = field(default_factory=dict)
    subjects: dict[tuple[str, str], Subject] = field(default_factory=dict)
    inbox: dict[str, set[UUID]] = field(default_factory=dict)
    _parked: set[tuple[str, str]] = field(default_factory=set)

    def run(self, group: str, entries: Iterable[Entry]) -> None:
        """Decide the commands of one topic, whose partitions each come in the order of their log."""
        seen = self.inbox.setdefault(group, set())
        for entry in entries:
            message = _read(entry)
            dead = self.poison.get(entry.place) or (None if message else UNPLANNED)
            if dead in NO_META or entry.id is None:
                self._bury(group, entry, dead or UNPLANNED)
            elif entry.id not in seen:
                seen.add(entry.id)
                self.decided[entry.id] = self._first(group, entry, message, dead)

    def _first(self, group: str, entry: Entry, message: Command | Tick | None, dead: str | None) -> Decided:
        if isinstance(message, Tick):
            return Decided(entry, None)
        if dead is None and (entry.topic, entry.key or "") in self._parked:
            dead = "parked"
        if dead is not None or message is None:
            self._bury(group, entry, dead or UNPLANNED)
            return Decided(entry, "parked")
        return self._decide(entry, message)

    def _bury(self, group: str, entry: Entry, reason: str) -> None:
        self.letters[group, entry.place] = reason
        if entry.key is not None and reason != "undecodable_key":
            self._parked.add((entry.topic, entry.key))

    def _decide(self, entry: Entry, command: Command) -> Decided:
        if getattr(command, command.author_field or "") != uuid_of(entry.headers.get("ce_actor")):
            return Decided(entry, "refused", "not_the_actor")
        topic = PICK_EVENTS.name if entry.topic == PICK_COMMANDS.name else REACTION_EVENTS.name
        subject = self.subjects.setdefault((topic, command.key), Subject())
        match command:
            case PublishPick():
                return self._publish(entry, command, subject)
            case React():
                return self._react(entry, command, subject)
            case Unreact():
                return _unreact(entry, command, subject)
            case EditPick() | DeletePick() | RestorePick():
                return _change(entry, command, subject)
        raise TypeError(f"the judge does not know {type(command).__name__}: teach tests/chaos/model.py")

    def _publish(self, entry: Entry, pick: PublishPick, subject: Subject) -> Decided:
        if subject.content is not None:
            reason = "deleted" if subject.content["deleted_at"] else "already_picked"
            return Decided(entry, "refused", reason, subject.changed_by)
        content = {
            "pick_id": pick.pick_id,
            "author_id": pick.author_id,
            "thing_id": pick.thing_id,
            "note": pick.note,
            "rating": pick.rating,
            "tags": pick.tags,
            "picked_at": pick.picked_at or entry.at,
            "published_at": entry.at,
            "edited_at": None,
            "deleted_at": None,
        }
        things = [self._add(entry, pick)] if entry.id in self.adders else []
        return _change_to(entry, subject, PICK_EVENTS.name, pick.key, content, before=things)

    def _add(self, entry: Entry, pick: PublishPick) -> Made:
        content = {"thing_id": pick.thing_id, **pick.thing.model_dump()}
        key = str(pick.thing_id)
        self.subjects[THING_EVENTS.name, key] = Subject(1, entry.id, content)
        return Made(caused_by(entry, 0), THING_EVENTS.name, key, 1, content)

    def _react(self, entry: Entry, react: React, subject: Subject) -> Decided:
        if subject.content is not None:
            return Decided(entry, "unchanged", after=subject.changed_by)
        pick = self.subjects.get((PICK_EVENTS.name, str(react.pick_id)), Subject())
        if pick.was_closed and entry.id in self.saw_closed:
            return Decided(entry, "refused", "pick_closed")
        content = {
            "pick_id": react.pick_id,
            "account_id": react.account_id,
            "kind": react.kind,
            "reacted_at": entry.at,
        }
        return _change_to(entry, subject, REACTION_EVENTS.name, react.key, content)


def _unreact(entry: Entry, unreact: Unreact, subject: Subject) -> Decided:
    if subject.content is None:
        return Decided(entry, "unchanged", after=subject.changed_by)
    return _change_to(entry, subject, REACTION_EVENTS.name, unreact.key, None)


def _change(entry: Entry, command: EditPick | DeletePick | RestorePick, subject: Subject) -> Decided:
    before = subject.content
    if before is None:
        return Decided(entry, "refused", "not_found")
    if before["author_id"] != command.author_id:
        return Decided(entry, "refused", "not_yours")
    seen = entry.headers.get("ce_expectedversion")
    if seen is not None and int(seen) != subject.version:
        return Decided(entry, "refused", "stale", subject.changed_by)
    if isinstance(command, EditPick) and before["deleted_at"]:
        return Decided(entry, "refused", "deleted", subject.changed_by)
    after = before | _wanted(command, before, entry.at)
    if after == before:
        return Decided(entry, "unchanged", after=subject.changed_by)
    if isinstance(command, EditPick):
        after["edited_at"] = entry.at
    return _change_to(entry, subject, PICK_EVENTS.name, command.key, after)


def _wanted(command: EditPick | DeletePick | RestorePick, before: Content, at: datetime) -> Content:
    if isinstance(command, DeletePick):
        return {"deleted_at": before["deleted_at"] or at}
    if isinstance(command, RestorePick):
        return {"deleted_at": None}
    fields = {"note", "rating", "tags", "picked_at"} & command.model_fields_set
    wanted = {name: getattr(command, name) for name in fields}
    return {name: value for name, value in wanted.items() if value is not None or name == "rating"}


def _change_to(
    entry: Entry,
    subject: Subject,
    topic: str,
    key: str,
    content: Content | None,
    before: Collection[Made] = (),
) -> Decided:
    subject.version += 1
    subject.changed_by, subject.content = entry.id, content
    subject.was_closed = subject.was_closed or bool(content and content.get("deleted_at"))
    made = Made(caused_by(entry, len(before)), topic, key, subject.version, content)
    return Decided(entry, "decided", events=(*before, made))


def caused_by(entry: Entry, position: int) -> UUID:
    """The id of the n-th event of a command, as `schemas.envelope.Meta.caused_id` names it."""
    owner = {PICK_COMMANDS.name: "curation", REACTION_COMMANDS.name: "social"}[entry.topic]
    assert entry.id is not None
    return uuid5(entry.id, f"{owner}/{position}")


def _read(entry: Entry) -> Command | Tick | None:
    """The command that the record holds, if it holds one."""
    if entry.type == Tick.__name__:
        return Tick(topic=entry.topic, partition=entry.partition)
    kind = Message.catalogue.get(entry.type)
    try:
        message = kind.model_validate_json(entry.value or b"") if kind else None
    except ValidationError:
        return None
    mine = isinstance(message, Command) and message.topic.name == entry.topic and message.key == entry.key
    return message if mine and isinstance(message, Command) else None
