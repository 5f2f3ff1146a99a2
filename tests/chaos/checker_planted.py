"""The ledger against the log: which record was whose, which were poison, what is missing or too much."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tests.chaos.ledger import Attempt
from tests.chaos.log import Entry

Key = tuple[str, str]
"""A command topic and a key."""


@dataclass
class Sent:
    """What the ledger says about one id over all of its attempts."""

    attempts: list[Attempt]

    @property
    def acked(self) -> bool:
        """Acked once is acked."""
        return any(each.outcome == "acked" for each in self.attempts)

    @property
    def refused(self) -> bool:
        """Refused at the door every time."""
        return all(each.outcome == "refused" for each in self.attempts)

    @property
    def last(self) -> Attempt:
        """Any attempt tells key, topic and seq; they are the same."""
        return self.attempts[-1]


@dataclass
class Matched:
    """Attempts and records brought together. `records`: by id, those of the log in its order. `poison`: by
    place, the reason of the planted."""

    sent: dict[UUID, Sent]
    records: dict[UUID, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    poison: dict[str, str] = field(default_factory=dict)


def match(attempts: Sequence[Attempt], entries: Iterable[Entry]) -> Matched:
    """By id; planted poison without a readable one by its place, or by topic and the hash of its value."""
    by_id: dict[UUID, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_id[attempt.id].append(attempt)
    matched = Matched({id: Sent(each) for id, each in by_id.items()})
    planted = [attempt for attempt in attempts if attempt.poison]
    by_place = {attempt.detail: attempt for attempt in planted}
    by_body = {(attempt.topic, attempt.body_hash): attempt for attempt in planted}
    for entry in entries:
        id = entry.id
        if id is None:
            found = by_place.get(entry.place) or by_body.get((entry.topic, entry.body_hash))
            id = found.id if found else None
        if id is None:
            continue
        matched.records[id].append(entry)
        if id in matched.sent and (reason := matched.sent[id].last.poison):
            matched.poison[entry.place] = reason
    return matched


def unsent(matched: Matched) -> list[str]:
    """What is in the log although its sender was refused at the door."""
    return [
        f"{id}: refused at the door, but at {matched.records[id][0].place}"
        for id, sent in matched.sent.items()
        if sent.refused and matched.records.get(id)
    ]


def altered(matched: Matched) -> list[tuple[UUID, str]]:
    """Records sent straight to a topic whose value is not what was sent: (id, example)."""
    wrong: list[tuple[UUID, str]] = []
    for id, sent in matched.sent.items():
        hashes = {each.body_hash for each in sent.attempts if each.via == "topic" and each.body_hash}
        strange = [entry for entry in matched.records.get(id, []) if hashes and entry.body_hash not in hashes]
        wrong += [(id, f"{id}: the record at {entry.place} is not what was sent") for entry in strange[:1]]
    return wrong


def disordered(matched: Matched) -> list[tuple[Key, str]]:
    """Keys whose acknowledged commands first came in another order than they were sent: (key, example)."""
    by_key: dict[Key, list[tuple[Entry, int]]] = defaultdict(list)
    for id, sent in matched.sent.items():
        if sent.acked and not sent.last.poison and matched.records.get(id):
            attempt = sent.last
            by_key[attempt.topic, attempt.key].append((matched.records[id][0], attempt.seq))
    wrong: list[tuple[Key, str]] = []
    for key, firsts in by_key.items():
        firsts.sort(key=lambda first: (first[0].partition, first[0].offset))
        numbers = [seq for _, seq in firsts]
        if numbers != sorted(set(numbers)):
            wrong.append((key, f"{key[0]} {key[1]}: sent as {sorted(numbers)}, in the log as {numbers}"))
        elif len({entry.partition for entry, _ in firsts}) > 1:
            wrong.append((key, f"{key[0]} {key[1]}: on more than one partition"))
    return wrong
