"""Bodies, path and query values: strict, and refused with field and rule."""

import re
from collections.abc import Mapping
from typing import Final

import jiter
from pydantic import TypeAdapter, ValidationError

from gateway.answers import JSON
from gateway.problems import FieldError, ProblemError

JSON_TYPE: Final = re.compile(rb"application/json(?:\s*;\s*charset=(?:utf-8|\"utf-8\"))?", re.IGNORECASE)
MOST_ERRORS: Final = 20
LONGEST_NAME: Final = 100
PREFIX: Final = "Value error, "
RULES: Final[Mapping[str, str]] = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_short": "min_length",
    "string_too_long": "max_length",
    "too_short": "min_items",
    "too_long": "max_items",
    "literal_error": "enum",
    "greater_than_equal": "minimum",
    "less_than_equal": "maximum",
    "finite_number": "finite",
    "model_type": "type",
    "model_attributes_type": "type",
    "value_error": "value",
}
"""pydantic's names of rules in the words of JSON Schema; `*_type` is `type`, `*_parsing` is `format`."""


def json_announced(headers: Mapping[bytes, bytes]) -> None:
    """Raises ProblemError (415) unless the headers announce plain JSON."""
    kind = headers.get(b"content-type", b"")
    if kind != JSON[1] and not JSON_TYPE.fullmatch(kind.strip()):
        raise ProblemError("unsupported-media-type", "Send the body as application/json, in UTF-8.")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise ProblemError("unsupported-media-type", "Send the body as it is, without Content-Encoding.")


def json_value(raw: bytes, adapter: TypeAdapter[object]) -> object:
    """The validated body. Raises ProblemError (400) if it is no JSON, ValidationError if not of the type."""
    try:
        # Refuses duplicate keys, NaN, lone surrogates, bad UTF-8, a byte order mark, and depth over 200.
        jiter.from_json(raw, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError("malformed", f"The body is not good JSON: {str(error)[:200]}.") from None
    return adapter.validate_json(raw)


def no_body(raw: bytes) -> None:
    """Raises ProblemError (422) when a request brings a body that nobody would read."""
    if raw:
        error = FieldError("body", "unknown_field", "this request takes no body")
        raise ProblemError("invalid", "This request takes no body.", errors=[error])


def broken_rules(error: ValidationError, *, within: str = "body") -> ProblemError:
    """What pydantic found, without the input; `within` names a value that is wrong as a whole."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    errors = [
        FieldError(_field(item["loc"], within), rule_of(item["type"]), item["msg"].removeprefix(PREFIX)[:300])
        for item in found[:MOST_ERRORS]
    ]
    more = f" (the first {MOST_ERRORS} of {len(found)})" if len(found) > MOST_ERRORS else ""
    detail = f"{errors[0].field}: {errors[0].detail}" if len(found) == 1 else f"{len(found)} rules are broken"
    return ProblemError("invalid", f"{detail}{more}.", errors=errors)


def rule_of(kind: str) -> str:
    """The rule's name for programs."""
    if kind in RULES:
        return RULES[kind]
    if kind.endswith("_type"):
        return "type"
    return "format" if "parsing" in kind else kind


def _field(location: tuple[int | str, ...], within: str) -> str:
    return ".".join(str(part)[:LONGEST_NAME] for part in location) or within
