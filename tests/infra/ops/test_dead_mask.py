"""An operator sees ids, kinds and times of a message; what people wrote is told by its size alone."""

import json
from typing import Any

import pytest

from infra.ops import dead_mask
from infra.ops.examples import catalogue, examples
from schemas.message import Message
from schemas.picks import PickPublished, PublishPick
from schemas.reactions import React
from tests.given import a_pick, published, reacts

CANARY = "Ana's secret"
TYPES: dict[str, type[Message]] = catalogue()


def test_a_payload_shows_ids_kinds_and_times_only() -> None:
    pick = a_pick(note="a note", rating=4.5, tags=("x", "y"))

    shown = dead_mask.body(PublishPick, pick.body())

    assert shown == {
        "pick_id": str(pick.pick_id),
        "author_id": str(pick.author_id),
        "thing_id": str(pick.thing_id),
        "thing": {
            "ref": "<text, 18 characters>",
            "kind": "book",
            "title": "<text, 16 characters>",
        },
        "note": "<text, 6 characters>",
        "rating": "<number>",
        "tags": "<list of 2>",
        "picked_at": None,
    }
    assert dead_mask.body(PickPublished, published().body())["picked_at"] == "2026-06-01T12:00:00Z"
    assert dead_mask.body(React, reacts().body())["kind"] == "like"


def strings(value: Any) -> list[str]:
    """Every text in a JSON value, names of fields among them."""
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


def planted(value: Any) -> Any:
    """The same shape with the canary for every value."""
    if isinstance(value, dict):
        return {name: planted(each) for name, each in value.items()} | {CANARY: CANARY}
    return [CANARY] if isinstance(value, list) else CANARY


@pytest.mark.parametrize("name", sorted(TYPES))
def test_no_field_of_any_message_shows_what_does_not_look_like_an_id_a_kind_or_a_time(name: str) -> None:
    for example in (each for each in examples().values() if each.type == name and each.body is not None):
        body = json.dumps(planted(dict(example.body or {}))).encode()

        assert CANARY not in "".join(strings(dead_mask.body(TYPES[name], body)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (None, json.dumps({"pick_id": CANARY}).encode()),
        (PublishPick, CANARY.encode()),
        (PublishPick, json.dumps([CANARY]).encode()),
        (PublishPick, b"[" * 100_000 + CANARY.encode()),
        (PublishPick, b"\xff" + CANARY.encode()),
    ],
)
def test_what_is_no_message_shows_its_size(kind: type[Message] | None, value: bytes) -> None:
    shown = dead_mask.body(kind, value)

    assert CANARY not in str(shown)
    assert str(len(value)) in str(shown)


def test_headers_show_what_the_envelope_knows_and_only_in_its_form() -> None:
    id = "5f0b8c1e-6d2a-5b7e-9a43-2f6c1d0e7b95"
    fine = [("ce_id", id), ("ce_type", "React"), ("ce_subject", f"picks/{id}"), ("ce_sequence", "7")]
    foul = [(name, CANARY) for name in (*dead_mask.HEADERS, "ce_type", "ce_subject", CANARY, "cookie")]

    assert dead_mask.headers([*fine], TYPES) == dict(fine)
    shown = dead_mask.headers([*foul, ("ce_bodyhash", None)], TYPES)
    assert CANARY not in json.dumps(shown, ensure_ascii=False)
    assert shown["<others>"] == "3"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("KeyError: 'ana'", "KeyError: <text, 5 characters>"),
        ("UniqueViolationError: Key (title)=(x)", "UniqueViolationError: <text, 15 characters>"),
        ("Ana: secret", "<text, 11 characters>"),
    ],
)
def test_an_error_shows_its_kind_but_not_its_words(text: str, shown: str) -> None:
    assert dead_mask.error(text) == shown


def test_a_made_up_type_cannot_steer_a_terminal() -> None:
    assert dead_mask.word("PublishPick") == "PublishPick"
    assert dead_mask.word("\x1b[2J") == "<text, 4 characters>"
    assert dead_mask.path(f"ana@example/{'7'}") == "<text, 11 characters>/7"
