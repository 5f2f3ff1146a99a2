"""Every wire type has a real example on disk, and reading it and writing it again changes nothing."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid5

import pytest

from infra.ops.examples import FOLDER, Example, catalogue, examples
from schemas.envelope import EnvelopeError, Meta
from schemas.ids import pick_id, thing_id
from schemas.message import Command, Message, State, Tombstone
from schemas.picks import EditPick, PublishPick
from schemas.refs import canonical

EACH = pytest.mark.parametrize("example", examples().values(), ids=examples())


def test_every_type_has_an_example_and_every_example_a_type() -> None:
    assert examples().keys() == catalogue().keys()


def test_a_file_is_called_what_it_holds() -> None:
    assert {name: example.type for name, example in examples().items()} == {
        name: name for name in catalogue()
    }


@EACH
def test_the_body_comes_back_as_it_was(example: Example) -> None:
    message = example.message()

    if isinstance(message, Tombstone):
        assert example.body is None
    else:
        assert json.loads(message.body()) == example.body


@EACH
def test_the_headers_come_back_as_they_were(example: Example) -> None:
    assert example.meta().headers() == example.headers


@EACH
def test_key_and_subject_follow_from_the_message(example: Example) -> None:
    message = example.message()

    assert example.key == message.key
    assert example.headers["ce_subject"] == message.about


@EACH
def test_fields_and_headers_of_a_newer_release_are_ignored(example: Example) -> None:
    newer = replace(
        example,
        headers={**example.headers, "ce_from_the_future": "x"},
        body=None if example.body is None else {**example.body, "from_the_future": {"deep": [1]}},
    )

    assert newer.message() == example.message()
    assert newer.meta() == example.meta()


def test_unknown_fields_deep_inside_are_ignored_too() -> None:
    example = examples()["PublishPick"]
    assert example.body is not None
    thing = example.body["thing"]
    assert isinstance(thing, dict)

    newer = replace(example, body={**example.body, "thing": {**thing, "from_the_future": 1}})

    assert newer.message() == example.message()


@EACH
def test_every_field_that_must_be_there_is_missed(example: Example) -> None:
    kind = catalogue()[example.type]
    for name, field in kind.model_fields.items():
        if example.body is not None and field.is_required() and name != "version":
            with pytest.raises(ValueError, match=name):
                replace(example, body={k: v for k, v in example.body.items() if k != name}).message()


@EACH
@pytest.mark.parametrize("header", ["ce_id", "ce_type"])
def test_an_envelope_without_id_or_type_is_refused_by_name(example: Example, header: str) -> None:
    headers = {name: value for name, value in example.headers.items() if name != header}

    with pytest.raises(EnvelopeError, match=header):
        replace(example, headers=headers).meta()


@EACH
def test_what_a_command_and_an_event_say_of_themselves_fits_their_kind(example: Example) -> None:
    kind, meta = catalogue()[example.type], example.meta()

    if issubclass(kind, Command):
        assert meta.sequence is None
        assert meta.correlation == meta.id
        if kind.author_field:
            assert getattr(example.message(), kind.author_field) == meta.actor
    else:
        assert isinstance(message := example.message(), State | Tombstone)
        assert meta.sequence == message.version
        assert meta.cause is not None
        assert meta.id in {uuid5(meta.cause, f"{kind.topic.owner}/{n}") for n in range(2)}


def test_the_ids_of_the_examples_are_those_of_their_things() -> None:
    message = examples()["PublishPick"].message()

    assert isinstance(message, PublishPick)
    assert message.thing_id == thing_id(message.thing.ref)
    assert message.thing.ref == canonical(message.thing.ref)
    assert message.pick_id == pick_id(message.author_id, message.thing_id)


def test_an_edit_says_only_what_it_changes_and_null_clears() -> None:
    example = examples()["EditPick"]
    message = example.message()
    cleared = EditPick.model_validate({**json.loads(message.body()), "rating": None})

    assert isinstance(message, EditPick)
    assert "note" not in json.loads(message.body())
    assert json.loads(cleared.body())["rating"] is None


def test_a_tombstone_is_read_from_its_key_alone() -> None:
    gone = catalogue()["ReactionGone"]
    assert issubclass(gone, Tombstone)
    example = examples()["ReactionGone"]

    assert gone.of_key(example.key, 2) == example.message()
    with pytest.raises(ValueError, match="pick_id/account_id/kind"):
        gone.of_key(example.key.partition("/")[0], 2)


def test_two_types_of_one_name_are_refused() -> None:
    class PickGone(Message):
        """A type that exists already."""

        __module__ = "schemas.planted"

    with pytest.raises(TypeError, match="two messages are called PickGone"):
        PickGone.__init_subclass__(topic=catalogue()["PickGone"].topic)


def test_an_example_of_an_unknown_type_is_not_read(tmp_path: Path) -> None:
    example = json.loads((FOLDER / "React.json").read_text())
    example["headers"]["ce_type"] = "Lost"
    (tmp_path / "Lost.json").write_text(json.dumps(example))

    with pytest.raises(KeyError, match="Lost"):
        examples(tmp_path)["Lost"].message()


def test_an_envelope_that_does_not_parse_is_refused() -> None:
    example = examples()["PickEdited"]

    for header, value in {"ce_id": "7", "ce_actor": "ada", "ce_sequence": "two"}.items():
        with pytest.raises(EnvelopeError, match="does not parse"):
            Meta.from_headers({**example.headers, header: value}, example.meta().at)
