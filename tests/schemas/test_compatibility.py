"""What was released stays readable; and the comparison that says so finds every planted break."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.ops.compatibility import RELEASED, broken, changes, wire_type
from infra.ops.examples import FOLDER, catalogue, examples
from schemas.picks import PublishPick

RELEASES = sorted(path for path in RELEASED.iterdir() if path.is_dir())
Frozen = dict[str, Any]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_this_code_keeps_what_was_released(release: Path) -> None:
    assert broken(release) == []


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_release_has_an_example_of_each_of_its_types(release: Path) -> None:
    types = {path.name for path in (release / "types").glob("*.json")}

    assert types
    assert types == {path.name for path in (release / "examples").glob("*.json")}


def test_there_is_a_release_to_keep() -> None:
    assert RELEASES


@pytest.fixture
def frozen() -> Frozen:
    """`PublishPick` as a release would have frozen it now."""
    return copy.deepcopy(wire_type(PublishPick))


def body(frozen: Frozen) -> dict[str, Any]:
    properties: dict[str, Any] = frozen["body"]["properties"]
    return properties


def thing(frozen: Frozen) -> dict[str, Any]:
    definition: dict[str, Any] = frozen["body"]["$defs"]["NewThing"]
    return definition


Change = Callable[[Frozen], object]


def at(path: str, **changes: object) -> Change:
    """Set keywords of the schema part at `path`, such as `body/rating/anyOf/0`."""

    def change(frozen: Frozen) -> None:
        part: Any = {"body": body(frozen), "thing": thing(frozen)["properties"], "root": frozen["body"]}
        for step in path.split("/"):
            part = part[int(step) if step.isdigit() else step]
        part.update(changes)

    return change


def required(frozen: Frozen) -> list[str]:
    names: list[str] = frozen["body"]["required"]
    return names


def with_new(schema: Frozen) -> Frozen:
    """With one more field, which is required."""
    properties = {**schema["properties"], "new": {"type": "string"}}
    return {**schema, "properties": properties, "required": [*schema["required"], "new"]}


BREAKS: dict[str, tuple[Change, str]] = {
    "field removed": (lambda f: body(f).pop("note"), "body.note: is gone"),
    "field renamed": (lambda f: body(f).update(text=body(f).pop("note")), "body.note: is gone"),
    "field retyped": (at("body/note", type="integer"), "body.note: was string, is integer"),
    "format changed": (at("body/pick_id", format="uri"), "body.pick_id: was string uuid, is string uri"),
    "no null": (lambda f: body(f)["rating"]["anyOf"].pop(), "body.rating: was null or number, is number"),
    "null": (
        at("body/pick_id", anyOf=[{"type": "string"}, {"type": "null"}]),
        "body.pick_id: was string uuid, is",
    ),
    "made required": (lambda f: required(f).append("note"), "body.note: is required now"),
    "new required field": (lambda f: f.update(body=with_new(f["body"])), "body.new: is required now"),
    "made optional": (lambda f: required(f).remove("thing"), "body.thing: may be missing now"),
    "default changed": (at("body/note", default="-"), "body.note: the default was ''"),
    "shorter": (at("body/note", maxLength=1_999), "body.note: maxLength was 2000, is 1999"),
    "fewer": (at("body/tags", maxItems=9), "body.tags: maxItems was 10, is 9"),
    "at least": (at("body/tags", minItems=1), "body.tags: minItems was None, is 1"),
    "items shorter": (at("body/tags/items", maxLength=9), "body.tags[]: maxLength was 40, is 9"),
    "items retyped": (at("body/tags/items", type="number"), "body.tags[]: was string, is number"),
    "higher minimum": (at("body/rating/anyOf/0", minimum=1), "body.rating: minimum was 0.5, is 1"),
    "coarser": (at("body/rating/anyOf/0", multipleOf=1), "body.rating: multipleOf was 0.5, is 1"),
    "multiples": (at("body/tags/items", multipleOf=2), "body.tags[]: multipleOf was None, is 2"),
    "pattern": (at("body/note", pattern="^a"), "body.note: pattern was None, is '^a'"),
    "value removed": (at("thing/kind", enum=["book"]), "body.thing.kind: no longer takes film"),
    "values closed": (at("thing/title", enum=["a"]), "body.thing.title: no longer takes anything but"),
    "nested removed": (lambda f: thing(f)["properties"].pop("title"), "body.thing.title: is gone"),
    "nested required": (
        lambda f: f["body"]["$defs"].update(NewThing=with_new(thing(f))),
        "body.thing.new: is required now",
    ),
    "closed to others": (at("root", additionalProperties=False), "body: additionalProperties was None"),
    "another topic": (lambda f: f.update(topic="pick.wishes"), "topic was pick.commands, is pick.wishes"),
    "another key": (lambda f: f.update(key=["thing_id"]), "key was ['pick_id'], is ['thing_id']"),
    "another subject": (lambda f: f.update(subject="things"), "subject was picks, is things"),
    "tombstone now": (lambda f: f.update(body=None), "a tombstone became an event"),
}
ALLOWED: dict[str, Change] = {
    "nothing": lambda _: None,
    "optional field": at("body", photos={"type": "array", "items": {"type": "string"}, "default": []}),
    "nested optional field": at("thing", year={"type": "integer", "default": 0}),
    "words": at("body/note", title="Text", description="What they say.", examples=["a"]),
    "longer": at("body/note", maxLength=3_000),
    "no limit": lambda f: body(f)["note"].pop("maxLength"),
    "lower minimum": at("body/rating/anyOf/0", minimum=0),
    "finer": at("body/rating/anyOf/0", multipleOf=0.25),
    "value added": lambda f: thing(f)["properties"]["kind"]["enum"].append("play"),
    "order of variants": lambda f: body(f)["rating"]["anyOf"].reverse(),
}


@pytest.mark.parametrize(("change", "told"), BREAKS.values(), ids=BREAKS)
def test_a_break_is_found_and_named(frozen: Frozen, change: Change, told: str) -> None:
    now = copy.deepcopy(frozen)
    change(now)

    assert any(told in line for line in changes(frozen, now)), changes(frozen, now)


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED)
def test_what_may_change_is_left_alone(frozen: Frozen, change: Change) -> None:
    now = copy.deepcopy(frozen)
    change(now)

    assert changes(frozen, now) == []


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """This code frozen as a release of its own."""
    (tmp_path / "types").mkdir()
    for name, kind in catalogue().items():
        (tmp_path / "types" / f"{name}.json").write_text(json.dumps(wire_type(kind)))
    shutil.copytree(FOLDER, tmp_path / "examples")
    return tmp_path


def test_a_release_of_this_very_code_is_kept(release: Path) -> None:
    assert broken(release) == []


def test_a_type_that_is_gone_is_found(release: Path) -> None:
    shutil.copy(release / "types/React.json", release / "types/Applaud.json")
    shutil.copy(release / "examples/React.json", release / "examples/Applaud.json")

    assert broken(release) == ["Applaud: the type is gone"]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("tags", ["Winter"], "read with other values"),
        ("rating", 9, "no longer parses"),
        ("renamed_field", "x", "read with other values"),
        ("picked_at", "2026-05-31T18:30:00+02:00", "read with other values"),
    ],
)
def test_an_old_example_that_is_read_otherwise_is_found(
    release: Path, field: str, value: object, told: str
) -> None:
    path = release / "examples/PublishPick.json"
    example = json.loads(path.read_text())
    example["body"][field] = value
    path.write_text(json.dumps(example))

    assert [line for line in broken(release) if line.startswith("PublishPick") and told in line]


@pytest.mark.parametrize(("header", "value"), [("ce_new", "x"), ("ce_id", "1"), ("ce_specversion", "0.3")])
def test_an_old_envelope_that_is_read_otherwise_is_found(release: Path, header: str, value: str) -> None:
    path = release / "examples/PickGone.json"
    example = json.loads(path.read_text())
    example["headers"][header] = value
    path.write_text(json.dumps(example))

    assert [line for line in broken(release) if line.startswith("PickGone")]


def test_an_old_key_that_is_read_otherwise_is_found(release: Path) -> None:
    path = release / "examples/React.json"
    path.write_text(path.read_text().replace(f'"key": "{examples()["React"].key}"', '"key": "other"'))

    assert broken(release) == [f"React: its example has the key {examples()['React'].key}"]
