"""A collector, and this process exporting to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.settings import Settings
from infra.telemetry.tracing import tracing
from tests.infra.telemetry.receiver import Collector, collecting


@contextmanager
def exporting(endpoint: str, ratio: float) -> Iterator[None]:
    """Export the spans of this process while the block runs; afterwards all have arrived."""
    tracing.start(Settings(otlp_endpoint=endpoint, trace_ratio=ratio, process="here"))
    try:
        yield
    finally:
        tracing.stop(20)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that works."""
    with collecting() as made:
        yield made
