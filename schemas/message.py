"""What every message has in common. The class name is the type on the wire.

A command is a wish in the imperative, a state event a fact in the past tense that carries the whole state
after it, a tombstone the end of a key. Bodies hold domain facts only; the rest is in `schemas.envelope`.
"""

from functools import cached_property
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from schemas.topics import Topic

Key = str
"""`<subject>` or `<subject>/<edge>`; the partition follows from the part before the first slash."""


class Message(BaseModel):
    """A message of one topic. Subclasses with `topic=` are wire types and listed in `catalogue`.

    `key_fields` name the fields whose values, joined by slashes, are the record's key; `subject` is the
    plural noun that begins `ce_subject`, as in `picks/<id>`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    topic: ClassVar[Topic]
    subject: ClassVar[str]
    key_fields: ClassVar[tuple[str, ...]]
    catalogue: ClassVar[dict[str, type["Message"]]] = {}

    def __init_subclass__(cls, *, topic: Topic | None = None) -> None:
        super().__init_subclass__()
        if topic is None:
            return
        cls.topic = topic
        if not cls.__module__.startswith("schemas."):
            return  # the runtime's own tests have messages that are not part of the contract
        if cls.__name__ in Message.catalogue:
            raise TypeError(f"two messages are called {cls.__name__}")
        Message.catalogue[cls.__name__] = cls

    @cached_property
    def key(self) -> Key:
        """The record's key: everything about one subject stays in order, because it shares a partition."""
        return "/".join([str(getattr(self, name)) for name in self.key_fields])

    @property
    def about(self) -> str:
        """`ce_subject`: what the message is about, `picks/<id>`."""
        return f"{self.subject}/{self.key}"

    def body(self) -> bytes:
        """The record's value, JSON."""
        return self.model_dump_json().encode()


class Command(Message):
    """A wish. `done_when` names the read models that must show its effect before it counts as done."""

    done_when: ClassVar[tuple[str, ...]] = ()
    author_field: ClassVar[str | None] = None
    """The field that must equal the actor; None for commands of staff and of the system."""


class State(Message):
    """The whole state of a key after a fact. `version` travels as `ce_sequence`, not in the body."""

    version: int = Field(ge=1, exclude=True)

    @classmethod
    def read(cls, body: bytes, version: int) -> Self:
        """Read a record's value and its `ce_sequence`; raises ValueError."""
        fields = from_json(body)
        if not isinstance(fields, dict):
            raise ValueError("the body is not an object")
        fields["version"] = version
        return cls.model_validate(fields)


class Tombstone(Message):
    """The end of a key: a record without a body. What it is about follows from the key."""

    version: int = Field(ge=1, exclude=True)

    @classmethod
    def of_key(cls, key: Key, version: int) -> Self:
        """Read a tombstone back from its record's key; raises ValueError when the key has another shape."""
        parts = key.split("/")
        if len(parts) != len(cls.key_fields):
            raise ValueError(f"{cls.__name__} has the key {'/'.join(cls.key_fields)}")
        return cls.model_validate({**dict(zip(cls.key_fields, parts, strict=True)), "version": version})


class Tick(BaseModel):
    """A minute has passed: what is due on this partition may be done. Parks no key, belongs to no topic.

    `topic` and `partition` are where it lies, so that each partition's owner does its own share.
    """

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int


class Heartbeat(BaseModel):
    """Keeps the segments of a quiet compacted topic rolling. Moves positions and reaches no handler."""

    model_config = ConfigDict(frozen=True)


CLOCK_TYPES = (Tick.__name__, Heartbeat.__name__)
