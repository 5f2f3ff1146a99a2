"""Who, when and why a message travels: CloudEvents 1.0 attributes in Kafka headers, binary mode.

Source: CloudEvents 1.0, Kafka Protocol Binding section 3.2 (binary content mode: `ce_` headers).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, ValidationError

CONTENT_TYPE = "application/json"
CONTRACT = "0.1.0"
"""The version of the contract that this code writes, as `schemas/released/` names them."""


class EnvelopeError(ValueError):
    """The headers are not those of a message: an attribute is missing or does not parse."""


def _version(text: object) -> int | None:
    """A version as PostgreSQL's bigint can hold it."""
    if not isinstance(text, str):
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > 2**63 - 1:
        raise ValueError("a version is a whole number from 0 to 2^63 - 1")
    return int(text)


def _header(name: str) -> Any:
    return Field(validation_alias=name, serialization_alias=name)


Version = Annotated[int | None, BeforeValidator(_version), PlainSerializer(str, when_used="unless-none")]


@dataclass(frozen=True, slots=True)
class Meta:
    """What a handler may know about a message beside its body.

    `at` is the broker's append time of the original record, also on replay. `actor` is the account that
    asked, None for the system. `cause` is the message that led to this one, `correlation` the first of the
    chain. `sequence` is the version of the key on state topics. `expected_version` comes from If-Match.
    """

    id: Annotated[UUID, _header("ce_id")]
    type: Annotated[str, _header("ce_type")]
    at: Annotated[datetime, Field(serialization_alias="ce_time")]
    subject: Annotated[str, _header("ce_subject")]
    source: Annotated[str, _header("ce_source")] = "pickly"
    actor: Annotated[UUID | None, _header("ce_actor")] = None
    cause: Annotated[UUID | None, _header("ce_cause")] = None
    correlation: Annotated[UUID | None, _header("ce_correlation")] = None
    sequence: Annotated[Version, _header("ce_sequence")] = None
    expected_version: Annotated[Version, _header("ce_expectedversion")] = None
    body_hash: Annotated[str | None, _header("ce_bodyhash")] = None
    traceparent: str | None = None

    def caused_id(self, group: str, position: int) -> UUID:
        """The id of the n-th message that `group` makes of this one; the same on every replay."""
        return uuid5(self.id, f"{group}/{position}")

    def headers(self) -> dict[str, str]:
        """The Kafka headers; `ce_time` is `at`, for a command the time of asking."""
        return {
            "ce_specversion": "1.0",
            **_META.dump_python(self, mode="json", by_alias=True, exclude_none=True),
            "ce_dataschema": f"urn:pickly:{self.type}:{CONTRACT}",
            "content-type": CONTENT_TYPE,
        }

    @staticmethod
    def from_headers(headers: Mapping[str, str], at: datetime) -> "Meta":
        """Read the headers of a record that the broker appended at `at`; raises EnvelopeError."""
        try:
            return _META.validate_python({"ce_subject": "", "ce_source": "", **headers, "at": at})
        except ValidationError as error:
            raise EnvelopeError(_what(error)) from None


_META = TypeAdapter(Meta)


def _what(error: ValidationError) -> str:
    """Header and rule, never the value: it may hold what a log must not."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    rule = "is missing" if first["type"] == "missing" else f"does not parse: {first['type']}"
    return f"header {first['loc'][0]} {rule}"
