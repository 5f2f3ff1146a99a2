"""Wrongs planted into what an honest run left, one at a time; by the count that must show each."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

from infra.settings import Settings
from schemas.topics import PICK_EVENTS, REACTION_EVENTS
from tests.chaos.checker_evidence import Evidence
from tests.chaos.ledger import Attempt
from tests.chaos.log import Entry
from tests.given import PICK, reacts

LOVE = reacts(kind="love").key
PICKS, REACTIONS = PICK_EVENTS.name, REACTION_EVENTS.name


class Run(NamedTuple):
    """An honest run at rest: its ledger and what the judge gathered."""

    settings: Settings
    attempts: list[Attempt]
    evidence: Evidence


def command(run: Run, kind: str, number: int = 0) -> Entry:
    """The n-th command of a type."""
    topics = run.evidence.commands.values()
    return [entry for entries in topics for entry in entries if entry.type == kind][number]


def events_of(run: Run, topic: str, key: str) -> list[Entry]:
    """The records of a key."""
    return [entry for entry in run.evidence.states[topic] if entry.key == key]


def never_sent(run: Run) -> None:
    run.attempts.append(replace(run.attempts[0], id=uuid4(), seq=99))


def never_decided(run: Run) -> None:
    id = command(run, "DeletePick").id
    del run.evidence.decisions[id or uuid4()]


def without_effect(run: Run) -> None:
    """The decision stands, and nothing else of the reaction is there."""
    evidence = run.evidence
    del evidence.subjects[REACTIONS][LOVE]
    evidence.states[REACTIONS] = [entry for entry in evidence.states[REACTIONS] if entry.key != LOVE]
    for table in ("read_picks.reaction", "read_picks.reaction_count"):
        evidence.read[table] = [row for row in evidence.read[table] if row["kind"] != "love"]


def sent_otherwise(run: Run) -> None:
    at = next(n for n, each in enumerate(run.attempts) if each.type == "DeletePick")
    run.attempts[at] = replace(run.attempts[at], body_hash="00")


def handled_twice(run: Run) -> None:
    """The reaction is at version 2, everywhere, by the event of one command."""
    (event,) = events_of(run, REACTIONS, LOVE)
    again = replace(event, offset=event.offset + 9, headers=event.headers | {"ce_sequence": "2"})
    run.evidence.states[REACTIONS].append(again)
    of_love(run, version=2)


def counted_higher(run: Run) -> None:
    """The table counts further than the commands lead, and its event came with the version."""
    (event,) = events_of(run, REACTIONS, LOVE)
    raised = replace(event, headers=event.headers | {"ce_sequence": "2"})
    states = run.evidence.states[REACTIONS]
    states[states.index(event)] = raised
    of_love(run, version=2)


def of_love(run: Run, version: int) -> None:
    row = run.evidence.subjects[REACTIONS][LOVE]
    run.evidence.subjects[REACTIONS][LOVE] = replace(row, version=version)
    rows = run.evidence.read["read_picks.reaction"]
    run.evidence.read["read_picks.reaction"] = [
        {**each, "version": version} if each["kind"] == "love" else each for each in rows
    ]


def not_in_the_inbox(run: Run) -> None:
    run.evidence.inbox["curation"].remove(command(run, "DeletePick").id or uuid4())


def sent_in_another_order(run: Run) -> None:
    ids = [command(run, "DeletePick").id, command(run, "RestorePick").id]
    first, second = [n for n, each in enumerate(run.attempts) if each.id in ids]
    a, b = run.attempts[first], run.attempts[second]
    run.attempts[first], run.attempts[second] = replace(a, seq=b.seq), replace(b, seq=a.seq)


def decided_otherwise(run: Run) -> None:
    id = command(run, "Unreact", 1).id or uuid4()
    told = run.evidence.decisions[id]
    run.evidence.decisions[id] = replace(told, status="refused", reason="not_found")


def another_state(run: Run) -> None:
    """The table, its event and the page agree, but the log of commands leads elsewhere."""
    (event,) = events_of(run, REACTIONS, LOVE)
    row = run.evidence.subjects[REACTIONS][LOVE]
    later = row.content["reacted_at"] + timedelta(seconds=5)
    value = (event.value or b"").replace(said(row.content["reacted_at"]), said(later))
    assert value != event.value
    states = run.evidence.states[REACTIONS]
    states[states.index(event)] = replace(event, value=value)
    run.evidence.subjects[REACTIONS][LOVE] = replace(row, content=row.content | {"reacted_at": later})


def said(at: object) -> bytes:
    return str(at).replace(" ", "T").replace("+00:00", "Z").encode()


def letter_lost(run: Run) -> None:
    run.evidence.letters.popitem()


def letter_of_a_good_one(run: Run) -> None:
    run.evidence.letters["read_picks", events_of(run, REACTIONS, LOVE)[0].place] = "handler_failed"


def letter_with_another_reason(run: Run) -> None:
    letter = next(letter for letter, reason in run.evidence.letters.items() if reason == "invalid_body")
    run.evidence.letters[letter] = "no_type"


def caused_by_nothing(run: Run) -> None:
    """An old version of a key, so that its newest record stays the true one."""
    first = events_of(run, PICKS, str(PICK))[0]
    strange = replace(first, offset=-1, headers=first.headers | {"ce_id": str(uuid4())})
    run.evidence.states[PICKS].insert(0, strange)


def decision_of_nothing(run: Run) -> None:
    run.evidence.decisions[uuid4()] = next(iter(run.evidence.decisions.values()))


def heard_of_nothing(run: Run) -> None:
    run.evidence.inbox["social"].add(uuid4())


def an_old_event_is_newest(run: Run) -> None:
    first, *_, last = events_of(run, PICKS, str(PICK))
    run.evidence.states[PICKS].append(replace(first, offset=last.offset + 9))


def offsets_elsewhere(run: Run) -> None:
    told = run.evidence.decisions[command(run, "DeletePick").id or uuid4()]
    (event,) = told.offsets
    told.offsets[event] = events_of(run, PICKS, str(PICK))[0].place


def after_the_wrong_one(run: Run) -> None:
    id = command(run, "RestorePick", 1).id or uuid4()
    run.evidence.decisions[id] = replace(run.evidence.decisions[id], after=uuid4())


def a_page_is_wrong(run: Run) -> None:
    rows = run.evidence.read["read_things.pick_edge"]
    rows[0] = {**rows[0], "bucket": 7}


def a_count_is_wrong(run: Run) -> None:
    rows = run.evidence.read["read_picks.reaction_count"]
    rows[0] = {**rows[0], "count": 7}


def refused_but_there(run: Run) -> None:
    id = command(run, "DeletePick").id
    for n, each in enumerate(run.attempts):
        if each.id == id:
            run.attempts[n] = replace(each, outcome="refused")


PLANTS: dict[str, tuple[Callable[[Run], None], ...]] = {
    "lost": (never_sent, never_decided, without_effect, sent_otherwise),
    "doubled": (handled_twice, counted_higher, not_in_the_inbox),
    "out_of_order": (sent_in_another_order, decided_otherwise, another_state),
    "dead_wrong": (letter_lost, letter_of_a_good_one, letter_with_another_reason),
    "events_extra": (caused_by_nothing, decision_of_nothing, heard_of_nothing),
    "tail_wrong": (an_old_event_is_newest,),
    "answer_wrong": (
        offsets_elsewhere,
        after_the_wrong_one,
        a_page_is_wrong,
        a_count_is_wrong,
        refused_but_there,
    ),
}
