"""The judge: the ledger, the topics and the tables against an independent model of what must follow.

Each broken promise counts once, where it began: a key with a lost command is not judged for order too.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from infra.settings import Settings
from schemas.picks import PublishPick
from schemas.topics import PICK_COMMANDS
from tests.chaos import checker_events as events
from tests.chaos.checker_events import Published, Subject
from tests.chaos.checker_evidence import COMMANDS, Evidence, gather, gather_tails
from tests.chaos.checker_planted import Key, Matched, altered, disordered, match, unsent
from tests.chaos.checker_reads import wrong_reads
from tests.chaos.checker_tails import wrong_tails
from tests.chaos.ledger import Attempt
from tests.chaos.log import Entry
from tests.chaos.model import Model, caused_by
from tests.chaos.model import Subject as Modelled
from tests.chaos.verdict import Verdict


async def check(
    attempts: Sequence[Attempt], settings: Settings, *, answers_wrong: Sequence[str] = ()
) -> Verdict:
    """Judge a run that has come to rest: outboxes empty, every position at the end of its log.

    `answers_wrong` are lies that clients were told during the run; they are added to `answer_wrong`.
    """
    verdict = judge(attempts, await gather(settings))
    for lie in answers_wrong:
        verdict.add("answer_wrong", lie)
    return verdict


async def tails(settings: Settings) -> list[str]:
    """The keys whose newest record is not the deciding table's state, each with the reason."""
    return wrong_tails(*await gather_tails(settings))


def judge(attempts: Sequence[Attempt], evidence: Evidence) -> Verdict:
    """The verdict over what was gathered."""
    entries = [entry for topic in COMMANDS for entry in evidence.commands[topic]]
    matched = match(attempts, entries)
    published = Published.of(evidence)
    model = modelled(evidence, published, matched)
    verdict = Verdict()
    broken: set[Key] = set()
    _lost(verdict, broken, evidence, matched, model)
    _dead(verdict, broken, evidence, model)
    _doubled(verdict, broken, evidence, published, model)
    _disordered(verdict, broken, evidence, published, matched, model)
    whole = [each for each in model.decided.values() if _key(each.entry) not in broken]
    spared = {id for id, each in model.decided.items() if _key(each.entry) in broken}
    _all(verdict, "events_missing", events.missing(evidence, published, whole))
    adders = events.added(model)
    _all(
        verdict, "events_missing", (f"thing {thing} was never added" for thing, n in adders.items() if not n)
    )
    _all(verdict, "doubled", (f"thing {thing} was added {n} times" for thing, n in adders.items() if n > 1))
    _all(verdict, "events_extra", events.extra(evidence, published, model, spared))
    _all(verdict, "tail_wrong", wrong_tails(evidence.states, evidence.subjects, evidence.gone))
    _all(verdict, "answer_wrong", events.lies(evidence, published, whole))
    _all(verdict, "answer_wrong", wrong_reads(evidence))
    _all(verdict, "answer_wrong", unsent(matched))
    return verdict


def modelled(evidence: Evidence, published: Published, matched: Matched) -> Model:
    """The model after all command topics; picks first, for reactions depend on what was deleted."""
    saw_closed = {id for id, told in evidence.decisions.items() if told.reason == "pick_closed"}
    model = Model(matched.poison, _adders(evidence, published), saw_closed)
    for topic in sorted(COMMANDS.values(), key=lambda topic: topic.name != PICK_COMMANDS.name):
        model.run(topic.owner, evidence.commands[topic.name])
    return model


def _adders(evidence: Evidence, published: Published) -> set[UUID]:
    """The commands that added their thing, as their decisions say, or the log where there is no decision."""
    found: set[UUID] = set()
    for entry in evidence.commands[PICK_COMMANDS.name]:
        if entry.id is None or entry.type != PublishPick.__name__:
            continue
        told = evidence.decisions.get(entry.id)
        first = published.by_id.get(caused_by(entry, 0), [])
        if told.events == 2 if told else any(each.type == "ThingAdded" for each in first):
            found.add(entry.id)
    return found


def _lost(verdict: Verdict, broken: set[Key], evidence: Evidence, matched: Matched, model: Model) -> None:
    for id, sent in matched.sent.items():
        if sent.acked and not matched.records.get(id):
            verdict.add("lost", f"{id}: acknowledged, but not on {sent.last.topic}")
            broken.add((sent.last.topic, sent.last.key))
    for id, each in model.decided.items():
        if each.status is not None and id not in evidence.decisions:
            verdict.add("lost", f"{id}: {each.entry.type} at {each.entry.place} was never decided")
            broken.add(_key(each.entry))
    for id, example in altered(matched):
        verdict.add("lost", example)
        broken.add((matched.sent[id].last.topic, matched.sent[id].last.key))
    for subject, key, expected in _subjects(model):
        if key not in broken and _version(evidence, subject) < expected.version:
            verdict.add("lost", f"{subject}: version {_version(evidence, subject)} of {expected.version}")
            broken.add(key)


def _dead(verdict: Verdict, broken: set[Key], evidence: Evidence, model: Model) -> None:
    verdict.dead, verdict.dead_expected = len(evidence.letters), len(model.letters)
    keys = {entry.place: _key(entry) for topic in COMMANDS for entry in evidence.commands[topic]}
    for letter in sorted(evidence.letters.keys() | model.letters.keys()):
        found, expected = evidence.letters.get(letter), model.letters.get(letter)
        if found != expected:
            verdict.add("dead_wrong", f"{letter[0]} {letter[1]}: {found} instead of {expected}")
            broken.add(keys.get(letter[1], ("", "")))


def _doubled(
    verdict: Verdict, broken: set[Key], evidence: Evidence, published: Published, model: Model
) -> None:
    why: dict[Subject, str] = dict(events.twice(published))
    for subject, _, expected in _subjects(model):
        if (version := _version(evidence, subject)) > expected.version:
            why.setdefault(subject, f"{subject}: version {version} of {expected.version}")
    keys = {subject: key for subject, key, _ in _subjects(model)}
    for subject, example in why.items():
        if (key := keys.get(subject, ("", ""))) not in broken:
            verdict.add("doubled", example)
            broken.add(key)
    for id, each in model.decided.items():
        owner = COMMANDS[each.entry.topic].owner
        heard = each.status is None or id in evidence.inbox.get(owner, set())  # a tick may have come just now
        if _key(each.entry) not in broken and not heard:
            verdict.add("doubled", f"{id}: not in the inbox of {owner}, a repeat would be handled again")


def _disordered(
    verdict: Verdict,
    broken: set[Key],
    evidence: Evidence,
    published: Published,
    matched: Matched,
    model: Model,
) -> None:
    why: dict[Key, str] = dict(disordered(matched))
    for id, each in model.decided.items():
        told = evidence.decisions.get(id)
        if told and (told.status, told.reason) != (each.status, each.reason):
            example = f"{id}: {told.status} {told.reason} instead of {each.status} {each.reason}"
            why.setdefault(_key(each.entry), example)
    keys = {subject: key for subject, key, _ in _subjects(model)}
    for subject, example in events.otherwise(published, model):
        why.setdefault(keys[subject], example)
    for subject, key, expected in _subjects(model):
        row = evidence.subjects[subject[0]].get(subject[1])
        if (row.content if row else None) != expected.content:
            why.setdefault(key, f"{subject}: version {expected.version} has another content")
    for key, example in why.items():
        if key not in broken:
            verdict.add("out_of_order", example)
            broken.add(key)


def _subjects(model: Model) -> Iterable[tuple[Subject, Key, Modelled]]:
    """Every subject with the key whose commands made it so."""
    for subject, expected in model.subjects.items():
        if expected.changed_by is not None:
            yield subject, _key(model.decided[expected.changed_by].entry), expected


def _version(evidence: Evidence, subject: Subject) -> int:
    row = evidence.subjects[subject[0]].get(subject[1])
    return row.version if row else evidence.gone.get(subject, 0)


def _key(entry: Entry) -> Key:
    return entry.topic, entry.key or ""


def _all(verdict: Verdict, wrong: str, examples: Iterable[str]) -> None:
    for example in examples:
        verdict.add(wrong, example)
