"""What an operator may see of a message: ids, kinds and times. Everything else is told by its size alone.

A value is shown because the schema says that it is an id, one of a few words or a time, and because it looks
like one; nothing is shown because nobody thought of hiding it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from schemas.message import Message
from schemas.types import RFC3339

Json: TypeAlias = Any
"""What `json.loads` returns."""
ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,59}", re.ASCII)
NUMBER: Final = re.compile(r"\d{1,19}", re.ASCII)
HEADERS: Final[Mapping[str, re.Pattern[str]]] = {
    "ce_specversion": re.compile(r"1\.0"),
    "ce_id": ID,
    "ce_source": re.compile(r"pickly(/[a-z_]{1,30})?"),
    "ce_time": RFC3339,
    "ce_dataschema": re.compile(r"urn:pickly:[A-Za-z]{1,60}:[0-9.]{1,20}"),
    "ce_actor": ID,
    "ce_cause": ID,
    "ce_correlation": ID,
    "ce_sequence": NUMBER,
    "ce_expectedversion": NUMBER,
    "traceparent": re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "content-type": re.compile(r"application/json"),
}
"""Headers that are shown, when their values look as they must."""


def body(kind: type[Message] | None, value: bytes | None) -> Json:
    """A record's value with everything personal hidden; of an unknown kind or shape nothing but its size."""
    if value is None:
        return None
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return f"<{len(value)} bytes that are no JSON>"
    if kind is None or not isinstance(fields, dict):
        return f"<{len(value)} bytes of JSON>"
    return _fields(kind, fields)


def _fields(kind: type[BaseModel], values: Mapping[str, Json]) -> dict[str, Json]:
    known = {
        name: _value(field.annotation, values[name])
        for name, field in kind.model_fields.items()
        if name in values
    }
    unknown = len(values.keys() - kind.model_fields.keys())
    return known | ({"<unknown fields>": unknown} if unknown else {})


def _value(annotation: object, value: Json) -> Json:
    kinds = list(_kinds(annotation))
    model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
    if model is not None and isinstance(value, dict):
        return _fields(model, value)
    return value if value is None or any(_is_plain(kind, value) for kind in kinds) else hidden(value)


def _kinds(annotation: object) -> Iterator[object]:
    """What a field may hold, without the constraints and the `| None` around it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for each in get_args(annotation):
            yield from _kinds(each)
    else:
        yield annotation


def _is_plain(kind: object, value: Json) -> bool:
    """Whether the value is an id, one of a few words, or a time, by its declaration and by its looks."""
    if not isinstance(value, str):
        return False
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is UUID:
        return bool(ID.fullmatch(value))
    return kind in (datetime, AwareDatetime) and bool(RFC3339.fullmatch(value))


def hidden(value: Json) -> str:
    """Kind and size of a value."""
    match value:
        case bool():
            return "<yes or no>"
        case int() | float():
            return "<number>"
        case str():
            return f"<text, {len(value)} characters>"
        case list():
            return f"<list of {len(value)}>"
        case _:
            return "<object>"


def headers(pairs: Sequence[tuple[str, str | None]], types: Mapping[str, object]) -> dict[str, str | None]:
    """The headers of a letter; names that we do not know are counted, not shown. `types`: known ones."""
    shown: dict[str, str | None] = {}
    unknown = 0
    for name, value in pairs:
        if name == "ce_type":
            shown[name] = value if value in types else hidden(value or "")
        elif name == "ce_subject":
            shown[name] = path(value or "")
        elif name in HEADERS:
            shown[name] = value if HEADERS[name].fullmatch(value or "") else hidden(value or "")
        else:
            unknown += 1
    return shown | ({"<others>": str(unknown)} if unknown else {})


def path(text: str) -> str:
    """A key or subject: its ids are shown, the first part of a subject is the kind."""
    first, *rest = text.split("/")
    head = first if rest and first in ("picks", "things", "reactions", "tick") else _segment(first)
    return "/".join([head, *map(_segment, rest)])


def _segment(text: str) -> str:
    return text if ID.fullmatch(text) or NUMBER.fullmatch(text) else hidden(text)


def word(text: str | None) -> str:
    """A type or reason, which a sender may have made up: for a terminal, only if it is a plain word."""
    return "" if text is None else text if WORD.fullmatch(text) else hidden(text)


def error(text: str) -> str:
    """The kind of an exception; its words may quote what was handled, so only their number is told."""
    kind, colon, words = text.partition(": ")
    if re.fullmatch(r"\w+(Error|Exception|Exit|Warning)", kind, re.ASCII):
        return f"{kind}: {hidden(words)}" if colon else kind
    return hidden(text)
