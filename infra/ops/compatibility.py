"""Whether this code keeps what earlier releases promised: their frozen types and examples against it.

Allowed are new types, new optional fields, wider limits and longer lists of values; the rest is a new class.
Consumers are deployed before producers, so that nobody meets a value that he does not know yet.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from infra.ops.examples import Example, catalogue, examples
from schemas.message import Message, Tombstone

RELEASED: Final = Path(__file__).parents[2] / "schemas/released"
UPPER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
LOWER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems")
JUDGED: Final = {
    *UPPER, *LOWER, "multipleOf", "enum", "const", "default",
    "type", "format", "anyOf", "items", "properties", "required",
}  # fmt: skip
"""Keywords that are compared by what they mean; any other must stay as it was."""
INFINITE: Final = float("inf")
WORDS: Final = {"title", "description", "examples", "$defs"}
"""Keywords that change nothing on the wire."""

Schema: TypeAlias = Mapping[str, Any]


def wire_type(kind: type[Message]) -> dict[str, object]:
    """What is promised of a type: its topic, its key, what it is about, and the JSON schema of its body."""
    body = None if issubclass(kind, Tombstone) else kind.model_json_schema(mode="serialization")
    return {"topic": kind.topic.name, "key": list(kind.key_fields), "subject": kind.subject, "body": body}


def broken(release: Path) -> list[str]:
    """Every promise of a released folder that the code no longer keeps, one line each."""
    kinds = catalogue()
    lines = []
    for path in sorted((release / "types").glob("*.json")):
        if path.stem not in kinds:
            lines.append(f"{path.stem}: the type is gone")
            continue
        frozen = json.loads(path.read_text(encoding="utf-8"))
        lines += [f"{path.stem}: {text}" for text in changes(frozen, wire_type(kinds[path.stem]))]
    for name, example in examples(release / "examples").items():
        lines += [f"{name}: {text}" for text in _misread(example)] if name in kinds else []
    return lines


def changes(frozen: Schema, now: Schema) -> list[str]:
    """What is broken between two `wire_type`s."""
    moved = [
        f"{name} was {frozen[name]}, is {now[name]}"
        for name in ("topic", "key", "subject")
        if frozen[name] != now[name]
    ]
    before, after = frozen["body"], now["body"]
    if before is None or after is None:
        return moved + ([] if before == after else ["a tombstone became an event, or the reverse"])
    return moved + list(_compare(_Schema(before, before), _Schema(after, after), "body"))


class _Schema:
    """A part of a JSON schema with the root that its references are resolved in."""

    def __init__(self, root: Schema, part: Schema) -> None:
        while "$ref" in part:
            part = {
                **root["$defs"][part["$ref"].rpartition("/")[2]],
                **{k: part[k] for k in part if k != "$ref"},
            }
        self.root, self.part = root, part

    def at(self, part: Schema) -> "_Schema":
        return _Schema(self.root, part)

    def variants(self) -> dict[str, "_Schema"]:
        """By JSON type, and objects by their title."""
        found = [self.at(part) for part in self.part.get("anyOf", [self.part])]
        return {f"{each.part.get('type')} {each.part.get('format', '')}".strip(): each for each in found}


def _compare(before: _Schema, after: _Schema, path: str) -> Iterator[str]:
    if before.part.get("default") != after.part.get("default"):
        yield f"{path}: the default was {before.part.get('default')!r}, is {after.part.get('default')!r}"
    old, new = before.variants(), after.variants()
    if old.keys() != new.keys():
        yield f"{path}: was {' or '.join(sorted(old))}, is {' or '.join(sorted(new))}"
        return
    for name in old:
        yield from _narrowed(old[name].part, new[name].part, path)
        yield from _fields(old[name], new[name], path)
        if "items" in old[name].part:
            before_items, after_items = (each[name].at(each[name].part["items"]) for each in (old, new))
            yield from _compare(before_items, after_items, f"{path}[]")


def _fields(before: _Schema, after: _Schema, path: str) -> Iterator[str]:
    old, new = before.part.get("properties", {}), after.part.get("properties", {})
    for name in old:
        if name not in new:
            yield f"{path}.{name}: is gone"
        else:
            yield from _compare(before.at(old[name]), after.at(new[name]), f"{path}.{name}")
    was, is_now = set(before.part.get("required", ())), set(after.part.get("required", ()))
    yield from (f"{path}.{name}: is required now" for name in sorted(is_now - was))
    yield from (f"{path}.{name}: may be missing now" for name in sorted((was - is_now) & new.keys()))


def _narrowed(old: Schema, new: Schema, path: str) -> Iterator[str]:
    others = (old.keys() | new.keys()) - JUDGED - WORDS
    tighter = [
        *(k for k in UPPER if new.get(k, INFINITE) < old.get(k, INFINITE)),
        *(k for k in LOWER if new.get(k, -INFINITE) > old.get(k, -INFINITE)),
        *(k for k in ("multipleOf",) if k in new and (k not in old or old[k] % new[k] != 0)),
        *(k for k in sorted(others) if old.get(k) != new.get(k)),
    ]
    yield from (f"{path}: {k} was {old.get(k)!r}, is {new.get(k)!r}" for k in tighter)
    if lost := _values_lost(old, new):
        yield f"{path}: no longer takes {lost}"


def _values_lost(old: Schema, new: Schema) -> str:
    before, after = (s.get("enum", [s["const"]] if "const" in s else None) for s in (old, new))
    if after is None:
        return ""
    if before is None:
        return f"anything but {after}"
    return ", ".join(str(value) for value in before if value not in after)


def _misread(example: Example) -> list[str]:
    """An example of that release must be read as it was meant, field by field."""
    try:
        message, meta = example.message(), example.meta()
    except ValueError as error:
        return [f"its example no longer parses: {error}"]
    body = None if isinstance(message, Tombstone) else json.loads(message.body())
    faults = [] if message.key == example.key else [f"its example has the key {message.key}"]
    if not _holds(body, example.body):
        faults.append("its example is read with other values")
    if not _holds(meta.headers(), example.headers):
        faults.append("the headers of its example are read with other values")
    return faults


def _holds(now: object, before: object) -> bool:
    """Whether all that was there is there; more may have come."""
    if isinstance(before, Mapping):
        return isinstance(now, Mapping) and all(k in now and _holds(now[k], v) for k, v in before.items())
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(_holds, now, before))
    return now == before
