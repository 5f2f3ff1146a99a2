"""From a broker record to a typed message, or to the reason why it cannot be one.

Nothing here trusts the record: headers may be any bytes, the value may have any size, the key any shape.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from infra.partitions import CLOCK_PREFIX
from infra.runtime.claims import without_claims
from infra.runtime.group import Group
from infra.runtime.handlers import MessageType
from infra.runtime.records import Dead, Decoded, Incoming, Passed, Record
from infra.telemetry.errors import type_name
from schemas.envelope import EnvelopeError, Meta
from schemas.message import Heartbeat, Message, State, Tick, Tombstone
from schemas.topics import MAX_BODY


class UnknownTypeError(Exception):
    """A well-formed message of a type that this group neither handles nor ignores: newer than the code."""

    def __init__(self, record: Record, kind: str) -> None:
        super().__init__(f"unknown type {type_name(kind)} at offset {record.offset}")
        self.record = record


class _BadRecordError(Exception):
    def __init__(self, reason: str, error: str) -> None:
        super().__init__(error)
        self.reason = reason


@dataclass(slots=True)
class Reading:
    """Records of one partition, decoded in their order; none follows one of an unknown type."""

    decoded: list[Decoded] = field(default_factory=list)
    unknown: UnknownTypeError | None = None

    def __len__(self) -> int:
        return len(self.decoded) + (self.unknown is not None)

    def add(self, record: Record, group: Group) -> None:
        """Decode the next one."""
        if self.unknown is None:
            try:
                self.decoded.append(decode(record, group))
            except UnknownTypeError as unknown:
                self.unknown = unknown

    @classmethod
    def of(cls, records: Iterable[Record], group: Group) -> "Reading":
        """Decode them all."""
        reading = cls()
        for record in records:
            reading.add(record, group)
        return reading


def decode(record: Record, group: Group) -> Decoded:
    """Read one record for `group`. Raises UnknownTypeError, and nothing else."""
    key: str | None = None
    meta: Meta | None = None
    try:
        key = _key(record)
        if len(record.value or b"") > MAX_BODY:
            raise _BadRecordError("oversize", f"{len(record.value or b'')} bytes, at most {MAX_BODY}")
        headers = _headers(record)
        kind = headers.get("ce_type")
        if not kind:
            raise _BadRecordError("no_type", "header ce_type is missing")
        if kind == Heartbeat.__name__ or kind in group.ignores:
            return Passed(record)
        handler = group.handlers.get(kind)
        if handler is None and kind != Tick.__name__:
            raise UnknownTypeError(record, kind)
        meta = _meta(headers, record.at)
        if handler is None:
            return Passed(record)
        message = _message(group.types[kind], record, key, meta)
    except _BadRecordError as bad:
        return Dead(record, key, without_claims(meta) if meta else None, bad.reason, str(bad))
    return Incoming(record, key or f"{CLOCK_PREFIX}{record.partition}", message, meta, handler)


def _key(record: Record) -> str | None:
    try:
        key = record.key.decode() if record.key is not None else None
    except UnicodeDecodeError:
        raise _BadRecordError("undecodable_key", "the key is not UTF-8") from None
    if key is not None and "\x00" in key:
        raise _BadRecordError("undecodable_key", "the key holds NUL, which PostgreSQL cannot keep")
    return key


def _headers(record: Record) -> Mapping[str, str]:
    try:
        headers = {name: value.decode() for name, value in record.headers}  # type: ignore[union-attr]  # below
    except (UnicodeDecodeError, AttributeError):
        raise _BadRecordError("undecodable_headers", "a header is null or not UTF-8") from None
    if "\x00" in "".join(headers.values()):
        raise _BadRecordError("undecodable_headers", "a header holds NUL, which PostgreSQL cannot keep")
    return headers


def _meta(headers: Mapping[str, str], at: datetime) -> Meta:
    try:
        return Meta.from_headers(headers, at)
    except EnvelopeError as error:
        raise _BadRecordError("bad_envelope", str(error)) from None


def _message(kind: MessageType, record: Record, key: str | None, meta: Meta) -> Message | Tick:
    if not issubclass(kind, Message):
        return Tick(topic=record.topic, partition=record.partition)
    if key is None:
        raise _BadRecordError("no_key", "the record has no key")
    if kind.topic.name != record.topic:
        raise _BadRecordError("wrong_topic", f"{kind.__name__} belongs on {kind.topic.name}")
    if meta.sequence is None and issubclass(kind, State | Tombstone):
        raise _BadRecordError("no_sequence", "header ce_sequence is missing")
    try:
        message = _parse(kind, record, key, meta.sequence)
    except ValidationError as error:
        raise _BadRecordError("invalid_body", _rules(error)) from None
    except ValueError as error:
        raise _BadRecordError("invalid_body", str(error)) from None
    if message.key != key:
        raise _BadRecordError("wrong_key", "the key is not that of the body")
    return message


def _parse(kind: type[Message], record: Record, key: str, sequence: int | None) -> Message:
    if issubclass(kind, Tombstone):
        if record.value is not None:
            raise ValueError(f"a {kind.__name__} has no body")
        return kind.of_key(key, sequence or 0)
    if record.value is None:
        raise ValueError(f"a {kind.__name__} needs a body")
    if issubclass(kind, State):
        return kind.read(record.value, sequence or 0)
    return kind.model_validate_json(record.value)


def _rules(error: ValidationError) -> str:
    """Field and rule, never the input: it may hold what a log must not."""
    details = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['type']}" for d in details)[:1000]
