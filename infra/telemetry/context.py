"""Which span a piece of work belongs to: W3C Trace Context, and the span that is current in this task.

Source: W3C Trace Context (Recommendation of 2021-11-23) section 3.2, `traceparent`.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

HEADER: Final = "traceparent"
SHAPE: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]([0-9a-f])"
)
LENGTH: Final = 55
ODD: Final = frozenset("13579bdf")
"""Last digits of flags with the lowest bit set: sampled."""


class Context(NamedTuple):
    """A span, as others may refer to it. Ids are lower-case hexadecimal, no secrets, unlikely to repeat."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def header(self) -> str:
        """The value of `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-0{self.sampled:d}"

    def child(self) -> "Context":
        """A new span of the same trace."""
        return Context(self.trace_id, new_span_id(), self.sampled)


def new_span_id() -> str:
    """Eight bytes that are not all zero."""
    return f"{random.getrandbits(64) or 1:016x}"  # no secret


def root(*, sampled: bool) -> Context:
    """The first span of a new trace."""
    return Context(f"{random.getrandbits(128) or 1:032x}", new_span_id(), sampled)  # no secret


def is_sampled(header: str | None) -> bool:
    """Whether a `traceparent` may be one of a sampled trace; cheap, `parse` tells for sure."""
    return header is not None and len(header) == LENGTH and header[-1] in ODD


def parse(header: str | None) -> Context | None:
    """The span that a `traceparent` names, or None: it may come from anybody."""
    found = SHAPE.fullmatch(header) if header is not None else None
    return Context(found[1], found[2], found[3] in ODD) if found else None


current: Final[ContextVar[Context | None]] = ContextVar("current", default=None)
"""The span that this task works in, or None."""


@contextmanager
def inside(context: Context | None) -> Iterator[None]:
    """Let log lines and messages belong to that span meanwhile."""
    token = current.set(context)
    try:
        yield
    finally:
        current.reset(token)
