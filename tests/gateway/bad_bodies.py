"""Bodies of a new pick, wrong in one way each, with the field and the rule that an answer must name."""

import json
from typing import Any
from uuid import uuid4

from tests.gateway.people import new_pick


def pick(**fields: Any) -> bytes:
    """A good pick but for these fields."""
    return json.dumps(new_pick() | fields).encode()


def thing(**fields: Any) -> bytes:
    """A good pick but for these fields of its thing."""
    good = new_pick()
    return json.dumps(good | {"thing": good["thing"] | fields}).encode()


NOT_JSON = {
    "empty": b"",
    "cut off": b'{"thing":',
    "two values": pick() + b"{}",
    "duplicate key": b'{"note":"a","note":"b",' + pick()[1:],
    "duplicate key within": pick().replace(b'"kind"', b'"kind": "film", "kind"'),
    "NaN": b'{"rating": NaN,' + pick()[1:],
    "Infinity": b'{"rating": Infinity,' + pick()[1:],
    "byte order mark": b"\xef\xbb\xbf" + pick(),
    "UTF-16": pick().decode().encode("utf-16"),
    "bad UTF-8": b'{"note": "\xff",' + pick()[1:],
    "overlong UTF-8": b'{"note": "\xc0\x80",' + pick()[1:],
    "lone surrogate": b'{"note": "\\ud800",' + pick()[1:],
    "lone low surrogate": b'{"note": "a\\udc00b",' + pick()[1:],
    "surrogate as UTF-8": b'{"note": "\xed\xa0\x80",' + pick()[1:],
    "depth 1,000": b'{"note": ' + b"[" * 1000 + b"]" * 1000 + b"," + pick()[1:],
    "raw control character": b'{"note": "\x01",' + pick()[1:],
    "number of 5,000 digits": b'{"rating": ' + b"1" * 5000 + b"," + pick()[1:],
    "single quotes": b"{'note': 'a'}",
    "comment": b"/* a */" + pick(),
}
BROKEN = {
    "no object": (b"[]", "body", "type"),
    "null": (b"null", "body", "type"),
    "nothing in it": (b"{}", "thing", "required"),
    "unknown field": (pick(owner_id="x"), "owner_id", "unknown_field"),
    "mass assignment of role": (pick(role="admin"), "role", "unknown_field"),
    "mass assignment of id": (pick(pick_id=str(uuid4())), "pick_id", "unknown_field"),
    "mass assignment of version": (pick(version=9), "version", "unknown_field"),
    "unknown field within": (thing(id="x"), "thing.id", "unknown_field"),
    "10,000 fields": (pick(**{f"f{n}": n for n in range(10_000)}), "f0", "unknown_field"),
    "NUL": (pick(note="a\x00b"), "note", "value"),
    "NUL in a title": (thing(title="a\x00"), "thing.title", "value"),
    "NUL in a tag": (pick(tags=["ok", "a\x00"]), "tags.1", "value"),
    "NUL in a ref": (thing(ref="https://example.org/\x00"), "thing.ref", "value"),
    "escape character": (pick(note="\x1b[31m"), "note", "value"),
    "note too long": (pick(note="x" * 2001), "note", "max_length"),
    "note a number": (pick(note=5), "note", "type"),
    "note null": (pick(note=None), "note", "type"),
    "title empty": (thing(title=""), "thing.title", "min_length"),
    "title blank": (thing(title="  "), "thing.title", "min_length"),
    "title too long": (thing(title="x" * 301), "thing.title", "max_length"),
    "title of two lines": (thing(title="a\nb"), "thing.title", "value"),
    "kind unknown": (thing(kind="boat"), "thing.kind", "enum"),
    "ref without scheme": (thing(ref="example.org"), "thing.ref", "value"),
    "ref of a script": (thing(ref="javascript:alert(1)"), "thing.ref", "value"),
    "ref with a user": (thing(ref="https://a:b@example.org"), "thing.ref", "value"),
    "ref without a host": (thing(ref="https://"), "thing.ref", "value"),
    "ref too long": (thing(ref="https://example.org/" + "x" * 2000), "thing.ref", "max_length"),
    "ref too long once canonical": (thing(ref="http://e.org/" + "x" * 1987), "thing.ref", "value"),
    "isbn of 5 digits": (thing(ref="isbn:12345"), "thing.ref", "value"),
    "rating text": (pick(rating="5"), "rating", "type"),
    "rating true": (pick(rating=True), "rating", "type"),
    "rating 0": (pick(rating=0), "rating", "minimum"),
    "rating 5.5": (pick(rating=5.5), "rating", "maximum"),
    "rating 4.3": (pick(rating=4.3), "rating", "multiple_of"),
    "rating 1e400": (pick(rating=0).replace(b'"rating": 0', b'"rating": 1e400'), "rating", "finite"),
    "tags text": (pick(tags="a"), "tags", "type"),
    "eleven tags": (pick(tags=[f"t{n}" for n in range(11)]), "tags", "max_items"),
    "a long tag": (pick(tags=["x" * 41]), "tags.0", "max_length"),
    "an empty tag": (pick(tags=[""]), "tags.0", "min_length"),
    "a tag that is a number": (pick(tags=[1]), "tags.0", "type"),
    "picked_at a number": (pick(picked_at=1700000000), "picked_at", "value"),
    "picked_at a number as text": (pick(picked_at="1700000000"), "picked_at", "value"),
    "picked_at without a zone": (pick(picked_at="2026-01-01T00:00:00"), "picked_at", "value"),
    "picked_at a date": (pick(picked_at="2026-01-01"), "picked_at", "value"),
    "picked_at no date": (pick(picked_at="2026-02-30T00:00:00Z"), "picked_at", "value"),
    "picked_at in 3000": (pick(picked_at="3000-01-01T00:00:00Z"), "picked_at", "value"),
    "picked_at in year 0": (pick(picked_at="0000-01-01T00:00:00Z"), "picked_at", "value"),
    "picked_at in year 999": (pick(picked_at="0999-01-01T00:00:00Z"), "picked_at", "minimum"),
}
