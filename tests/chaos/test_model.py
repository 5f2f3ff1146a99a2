"""The model's rules where the honest run does not reach; the run itself compares it with the real groups."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from schemas.envelope import Meta
from schemas.message import Command, Message
from schemas.picks import DeletePick, PickCommand
from schemas.topics import PICK_COMMANDS, REACTION_COMMANDS
from tests.chaos.log import Entry
from tests.chaos.model import Decided, Model
from tests.given import ANA, BO, NOON, PICK, a_pick, reacts, unreacts

DELETE = DeletePick(pick_id=PICK, author_id=ANA)


def log(*commands: Command, ids: Collection[UUID] = ()) -> list[Entry]:
    """The commands on one partition, a minute apart."""
    known = [*ids, *(uuid4() for _ in range(len(commands) - len(ids)))]
    entries: list[Entry] = []
    for offset, (command, id) in enumerate(zip(commands, known, strict=True)):
        actor = getattr(command, command.author_field or "")
        headers = Meta(id, type(command).__name__, NOON, command.about, actor=actor).headers()
        at = NOON + timedelta(minutes=offset)
        entries.append(Entry(command.topic.name, 0, offset, at, command.key, command.body(), headers))
    return entries


def decisions(model: Model, entries: list[Entry]) -> list[Decided]:
    return [model.decided[entry.id] for entry in entries if entry.id]


def test_a_version_goes_on_after_a_tombstone() -> None:
    model, entries = Model({}), log(reacts(), unreacts(), reacts(), unreacts())

    model.run("social", entries)

    made = [each.events[0] for each in decisions(model, entries)]
    assert [(each.version, each.content is None) for each in made] == [
        (1, False),
        (2, True),
        (3, False),
        (4, True),
    ]


@pytest.mark.parametrize(("deleted", "status"), [(True, "refused"), (False, "decided")])
def test_a_reaction_may_be_refused_only_where_its_pick_was_deleted_once(deleted: bool, status: str) -> None:
    reaction = log(reacts())
    model = Model({}, saw_closed={reaction[0].id} if reaction[0].id else ())

    model.run("curation", log(a_pick(), DELETE) if deleted else log(a_pick()))
    model.run("social", reaction)

    assert [each.status for each in decisions(model, reaction)] == [status]


def test_social_may_not_have_heard_of_a_deletion() -> None:
    model, reaction = Model({}), log(reacts())

    model.run("curation", log(a_pick(), DELETE))
    model.run("social", reaction)

    assert [each.status for each in decisions(model, reaction)] == ["decided"]


def test_a_repeat_is_decided_once_where_it_came_first() -> None:
    id = uuid4()
    model, entries = Model({}), log(reacts(), unreacts(), reacts(), ids=[id, uuid4(), id])

    model.run("social", entries)

    assert model.decided[id].entry.offset == 0
    assert model.subjects["reaction.events", reacts().key].version == 2


def test_poison_parks_its_key_and_no_other() -> None:
    entries = log(a_pick(), a_pick(), a_pick(BO))
    model = Model({entries[0].place: "handler_failed"})

    model.run("curation", entries)

    assert [each.status for each in decisions(model, entries)] == ["parked", "parked", "decided"]
    assert model.letters == {
        ("curation", entries[0].place): "handler_failed",
        ("curation", entries[1].place): "parked",
    }


def test_poison_without_an_envelope_has_a_letter_each_time_and_no_decision() -> None:
    id = uuid4()
    entries = log(a_pick(), a_pick(), a_pick(), ids=[id, id, id])
    model = Model({entry.place: "oversize" for entry in entries[:2]})

    model.run("curation", entries)

    assert model.decided[id].status == "parked"
    assert list(model.letters.values()) == ["oversize", "oversize", "parked"]
    assert model.inbox == {"curation": {id}}


def test_what_nobody_planted_must_not_be_in_the_log() -> None:
    entries = [replace(entry, value=b"{}") for entry in log(a_pick())]
    model = Model({})

    model.run("curation", entries)

    assert list(model.letters.values()) == ["not a message, and nobody planted it"]


def test_a_command_on_another_topic_than_its_own_is_none() -> None:
    entries = [replace(entry, topic=REACTION_COMMANDS.name) for entry in log(a_pick())]
    model = Model({})

    model.run("social", entries)

    assert len(model.letters) == 1


def test_the_thing_comes_with_the_command_that_added_it() -> None:
    entries = log(a_pick(), a_pick(BO))
    model = Model({}, adders={entries[1].id} if entries[1].id else ())

    model.run("curation", entries)

    assert [[made.topic for made in each.events] for each in decisions(model, entries)] == [
        ["pick.events"],
        ["thing.events", "pick.events"],
    ]
    assert [each.events[-1].id.version for each in decisions(model, entries)] == [5, 5]


def test_a_command_that_the_judge_was_not_taught_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unheard(PickCommand, topic=PICK_COMMANDS):
        """A command of a later release."""

    monkeypatch.setitem(Message.catalogue, "Unheard", Unheard)

    with pytest.raises(TypeError, match="teach"):
        Model({}).run("curation", log(Unheard(pick_id=PICK, author_id=ANA)))
