"""Who, when and why a message travels: CloudEvents 1.0 attributes in Kafka headers, binary mode.

Source: CloudEvents 1.0, Kafka Protocol Binding section 3.2 (binary content mode: `ce_` headers).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID, uuid5

CONTENT_TYPE = "application/json"
CONTRACT = "0.1.0"
"""The version of the contract that this code writes, as `schemas/released/` names them."""


class EnvelopeError(ValueError):
    """The headers are not those of a message: an attribute is missing or does not parse."""


def _version(text: str) -> int:
    """A version as PostgreSQL's bigint can hold it."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > 2**63 - 1:
        raise ValueError("a version is a whole number from 0 to 2^63 - 1")
    return int(text)


@dataclass(frozen=True, slots=True)
class Meta:
    """What a handler may know about a message beside its body.

    `at` is the broker's append time of the original record, also on replay. `actor` is the account that
    asked, None for the system. `cause` is the message that led to this one, `correlation` the first of the
    chain. `sequence` is the version of the key on state topics. `expected_version` comes from If-Match.
    """

    id: UUID
    type: str
    at: datetime
    subject: str
    source: str = "pickly"
    actor: UUID | None = None
    cause: UUID | None = None
    correlation: UUID | None = None
    sequence: int | None = None
    expected_version: int | None = None
    body_hash: str | None = None
    traceparent: str | None = None

    def caused_id(self, group: str, position: int) -> UUID:
        """The id of the n-th message that `group` makes of this one; the same on every replay."""
        return uuid5(self.id, f"{group}/{position}")

    def headers(self) -> dict[str, str]:
        """The Kafka headers; `ce_time` is `at`, for a command the time of asking."""
        optional = {
            "ce_actor": self.actor,
            "ce_cause": self.cause,
            "ce_correlation": self.correlation,
            "ce_sequence": self.sequence,
            "ce_expectedversion": self.expected_version,
            "ce_bodyhash": self.body_hash,
            "traceparent": self.traceparent,
        }
        return {
            "ce_specversion": "1.0",
            "ce_id": str(self.id),
            "ce_type": self.type,
            "ce_source": self.source,
            "ce_time": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce_subject": self.subject,
            "ce_dataschema": f"urn:pickly:{self.type}:{CONTRACT}",
            "content-type": CONTENT_TYPE,
        } | {name: str(value) for name, value in optional.items() if value is not None}

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], at: datetime) -> Self:
        """Read the headers of a record that the broker appended at `at`; raises EnvelopeError."""

        def uuid(name: str) -> UUID | None:
            return UUID(headers[name]) if name in headers else None

        def number(name: str) -> int | None:
            return _version(headers[name]) if name in headers else None

        try:
            return cls(
                id=UUID(headers["ce_id"]),
                type=headers["ce_type"],
                at=at,
                subject=headers.get("ce_subject", ""),
                source=headers.get("ce_source", ""),
                actor=uuid("ce_actor"),
                cause=uuid("ce_cause"),
                correlation=uuid("ce_correlation"),
                sequence=number("ce_sequence"),
                expected_version=number("ce_expectedversion"),
                body_hash=headers.get("ce_bodyhash"),
                traceparent=headers.get("traceparent"),
            )
        except KeyError as missing:
            raise EnvelopeError(f"header {missing.args[0]} is missing") from None
        except ValueError as error:
            raise EnvelopeError(f"a header does not parse: {error}") from None
