"""State topics against what the decisions caused, and decisions against where their events lie."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid5

from schemas.message import Heartbeat
from tests.chaos.checker_evidence import COMMANDS, STATES, Evidence
from tests.chaos.checker_tails import content_in
from tests.chaos.log import Entry, uuid_of
from tests.chaos.model import Decided, Made, Model

Subject = tuple[str, str]
"""A state topic and a key."""


@dataclass
class Published:
    """What lies on state topics: entries by event id, by subject, and by place."""

    by_id: dict[UUID | None, list[Entry]]
    by_subject: dict[Subject, list[Entry]]
    by_place: dict[str, Entry]

    @classmethod
    def of(cls, evidence: Evidence) -> "Published":
        """All but heartbeats."""
        by_id: dict[UUID | None, list[Entry]] = defaultdict(list)
        by_subject: dict[Subject, list[Entry]] = defaultdict(list)
        entries = [e for topic in STATES for e in evidence.states[topic] if e.type != Heartbeat.__name__]
        for entry in entries:
            by_id[entry.id].append(entry)
            by_subject[entry.topic, entry.key or ""].append(entry)
        return cls(by_id, by_subject, {entry.place: entry for entry in entries})

    def superseded(self, made: Made) -> bool:
        """Whether compaction may have taken the event: a newer record of its key is there, or it is a
        tombstone and nothing of its key is left."""
        same = self.by_subject.get((made.topic, made.key), [])
        return any(entry.version > made.version for entry in same) or (made.content is None and not same)


def twice(published: Published) -> Iterator[tuple[Subject, str]]:
    """Subjects on which one event id stands for two versions: its command had two effects."""
    for id, entries in published.by_id.items():
        versions = {entry.version for entry in entries}
        if id is not None and len(versions) > 1:
            subject = (entries[0].topic, entries[0].key or "")
            yield subject, f"{subject[0]} {subject[1]}: event {id} has the versions {sorted(versions)}"


def otherwise(published: Published, model: Model) -> Iterator[tuple[Subject, str]]:
    """Subjects with an event whose state is not what its command makes of it in the order of the log."""
    for made in _made(model.decided.values()):
        for entry in published.by_id.get(made.id, []):
            if (entry.version, content_in(entry)) != (made.version, made.content):
                yield (made.topic, made.key), f"{entry.place}: not what {made.id} must say"


def added(model: Model) -> dict[str, int]:
    """How many commands say of themselves that they added it, by the thing of each pick; one is right."""
    picks = [each.events for each in model.decided.values() if each.events and _thing(each.events[-1])]
    total: Counter[str] = Counter({_thing(events[-1]): 0 for events in picks})
    for events in picks:
        total[_thing(events[-1])] += len(events) - 1
    return total


def _thing(made: Made) -> str:
    return str(made.content.get("thing_id", "")) if made.content else ""


def missing(evidence: Evidence, published: Published, decided: Iterable[Decided]) -> Iterator[str]:
    """Events that the decisions caused and that are nowhere."""
    for each in decided:
        told = evidence.decisions.get(each.entry.id) if each.entry.id else None
        for made in each.events[: told.events if told else 0]:
            if made.id not in published.by_id and not published.superseded(made):
                yield f"{made.topic} {made.key}: version {made.version} of command {each.entry.id}"


def extra(evidence: Evidence, published: Published, model: Model, spared: set[UUID]) -> Iterator[str]:
    """Records, decisions and inbox rows that no command in the log leads to. `spared`: commands whose key is
    broken otherwise, so that their events are not known."""
    known = {made.id for made in _made(model.decided.values())}
    known |= {uuid5(id, f"{topic.owner}/{n}") for topic in COMMANDS.values() for id in spared for n in (0, 1)}
    for id, entries in published.by_id.items():
        if id not in known and uuid_of(entries[0].headers.get("ce_cause")) not in spared:
            yield from (f"{entry.place}: {entry.type} {entry.key}, which nothing caused" for entry in entries)
    yield from (
        f"decision {id} about a command that is on no topic"
        for id in sorted(evidence.decisions.keys() - model.decided.keys())
    )
    for group, ids in evidence.inbox.items():
        heard = model.inbox.get(group, set()) | known | spared
        strange = ids - heard - {id for id in published.by_id if id is not None}
        yield from (f"inbox of {group}: {id} is on no topic" for id in sorted(strange))


def lies(evidence: Evidence, published: Published, decided: Iterable[Decided]) -> Iterator[str]:
    """Decisions that tell something else than what happened."""
    for each in decided:
        told = evidence.decisions.get(each.entry.id) if each.entry.id else None
        if told is None:
            continue
        about = f"decision {each.entry.id}"
        if told.after != each.after:
            yield f"{about}: after {told.after} instead of {each.after}"
        if (told.type, told.body_hash) != (each.entry.type, each.entry.headers.get("ce_bodyhash")):
            yield f"{about}: another type or body hash than its command"
        if told.events != len(each.events):
            yield f"{about}: {told.events} events instead of {len(each.events)}"
        elif told.offsets.keys() != {made.id for made in each.events}:
            yield f"{about}: offsets of {len(told.offsets)} of its {told.events} events"
        else:
            yield from (
                f"{about}: event {made.id} is not at {told.offsets[made.id]}"
                for made in each.events
                if not _lies_at(published, made, told.offsets[made.id])
            )


def _lies_at(published: Published, made: Made, place: str) -> bool:
    found = published.by_place.get(place)
    return (
        published.superseded(made) or made.id not in published.by_id if found is None else found.id == made.id
    )


def _made(decided: Iterable[Decided]) -> Iterator[Made]:
    for each in decided:
        yield from each.events
