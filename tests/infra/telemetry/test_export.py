"""The exporter: off without a collector, and no hindrance with one that is dead."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from infra.settings import Settings
from infra.telemetry.context import root
from infra.telemetry.export import QUEUE
from infra.telemetry.tracing import Kind, Span, tracing
from tests.infra.telemetry.conftest import exporting
from tests.infra.telemetry.receiver import Collector

LOADED = """
import sys
import consumers.__main__, gateway.__main__, producers.clock, producers.relay
from infra.settings import settings
from infra.telemetry.tracing import tracing
tracing.start(settings())
heavy = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.proto", "google", "requests")
print([name for name in sys.modules if name.startswith(heavy)])
"""


def span(name: str = "work") -> Span:
    return Span(name, Kind.SERVER, root(sampled=True), None, {}, time.time_ns())


def count(result: str) -> float:
    return REGISTRY.get_sample_value("pickly_spans_total", {"result": result}) or 0


def test_nothing_is_loaded_without_a_collector() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_collector_is_named_by_our_variable_or_by_the_standard_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://standard:4318")
    assert Settings().otlp_endpoint == "http://standard:4318"

    monkeypatch.setenv("PICKLY_OTLP_ENDPOINT", "http://ours:4318")
    assert Settings().otlp_endpoint == "http://ours:4318"


def test_about_one_trace_in_a_hundred_is_sampled_by_default(collector: Collector) -> None:
    with exporting(collector.endpoint, Settings().trace_ratio):
        sampled = sum(tracing.sample() for _ in range(100_000))

    assert 600 < sampled < 1_500  # the chance to leave this is below 1e-30


def test_spans_say_which_process_they_are_of(collector: Collector) -> None:
    before = count("exported")
    with exporting(collector.endpoint, 0):
        tracing.end(span())

    assert [each.service for each in collector.spans] == ["here"]
    assert count("exported") == before + 1


@pytest.fixture
def silent() -> Iterator[str]:
    """A collector that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    held.append(listener.accept()[0])
            except OSError:
                return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for each in held:
            each.close()


@pytest.fixture
def refusing() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["silent", "refusing"])
async def test_a_dead_collector_holds_up_nothing_and_what_it_misses_is_counted(
    kind: str, request: pytest.FixtureRequest
) -> None:
    endpoint = str(request.getfixturevalue(kind))
    lost_before = count("dropped") + count("failed")
    tracing.start(Settings(otlp_endpoint=endpoint, trace_ratio=1, process=f"p{uuid4().hex}"))
    slowest = 0.0
    for _ in range(3 * QUEUE):
        began = time.perf_counter()
        tracing.end(span())
        slowest = max(slowest, time.perf_counter() - began)
        await asyncio.sleep(0)
    tracing.stop(1)

    assert slowest < 2.0, "far less than the collector's time-out of 5 s: nobody waits for it"
    assert count("dropped") + count("failed") - lost_before >= QUEUE
    assert not tracing.on
