"""Spans of this process: what one is, which are kept, and where they go.

A span is written down when it ends. Its ids exist from the start and travel whether it is sampled or not, so
that an error can be recorded although its trace was not sampled, and an unsampled message costs next to
nothing. OpenTelemetry's SDK exports them; it is loaded only where a collector is configured.
"""

import random
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from infra.settings import Settings
from infra.telemetry.context import Context

Value = str | int | float | bool


class Kind(Enum):
    """What a span is in relation to others, by OpenTelemetry's names."""

    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"


@dataclass(slots=True, eq=False)
class Span:
    """One step of work. Times are Unix time in nanoseconds. `error` is a type, never a text."""

    name: str
    kind: Kind
    context: Context
    parent: Context | None
    attributes: dict[str, Value]
    started: int
    links: tuple[Context, ...] = ()
    error: str | None = None
    ended: int = field(default=0)


class Exporter(Protocol):
    """Takes ended spans without ever waiting."""

    def add(self, span: Span) -> None:
        """Export it later."""

    def close(self, seconds: float) -> None:
        """Export what is left, within so many seconds."""


class Tracing:
    """The tracing of this process: off until `start`."""

    def __init__(self) -> None:
        self._exporter: Exporter | None = None
        self._ratio = 0.0

    @property
    def on(self) -> bool:
        """Whether spans go anywhere."""
        return self._exporter is not None

    def start(self, settings: Settings) -> None:
        """Export to the configured collector; without one nothing is loaded and nothing recorded."""
        if settings.otlp_endpoint:
            from infra.telemetry.export import OtlpExporter

            self._ratio = settings.trace_ratio
            self._exporter = OtlpExporter(settings.otlp_endpoint, settings.process)

    def stop(self, seconds: float = 2.0) -> None:
        """Export what is left, as far as that many seconds allow; then be off."""
        exporter, self._exporter, self._ratio = self._exporter, None, 0.0
        if exporter is not None:
            exporter.close(seconds)

    def sample(self) -> bool:
        """Whether a new trace is sampled."""
        return random.random() < self._ratio  # no secret

    def end(self, span: Span) -> None:
        """The span is over: kept if it is sampled or failed."""
        if self._exporter is not None and (span.context.sampled or span.error is not None):
            span.ended = span.ended or time.time_ns()
            self._exporter.add(span)


tracing: Final = Tracing()
"""The one of this process."""
