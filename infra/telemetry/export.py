"""Spans to a collector: OTLP over HTTP, in batches, from a thread of the SDK's own.

The work never waits for it: a full queue drops spans and counts them, a collector that is away costs nothing
but its spans.
"""

import os
import socket
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import Counter

from infra.telemetry.context import Context
from infra.telemetry.names import ERROR_TYPE
from infra.telemetry.tracing import Span

QUEUE: Final = 2_048
BATCH: Final = 512
EVERY_MS: Final = 1_000
REQUEST_SECONDS: Final = 5.0
PATH: Final = "/v1/traces"
SCOPE: Final = InstrumentationScope("pickly", schema_url=Schemas.V1_44_0.value)

SPANS: Final = Counter(
    "pickly_spans_total",
    "Spans by what became of them: exported, failed (the collector did not take them), dropped (queue full).",
    ["result"],
)


class OtlpExporter:
    """Takes ended spans; `endpoint` is the collector's address without the path of the signal."""

    def __init__(self, endpoint: str, process: str) -> None:
        self._resource = Resource(
            {
                "service.namespace": "pickly",
                "service.name": process,
                "service.instance.id": f"{socket.gethostname()}/{os.getpid()}",
            }
        )
        self._counted = _Counted(OTLPSpanExporter(endpoint.rstrip("/") + PATH, timeout=REQUEST_SECONDS))
        self._processor = BatchSpanProcessor(self._counted, QUEUE, EVERY_MS, BATCH)

    def add(self, span: Span) -> None:
        """Put it into the queue, or drop it when that is full."""
        if self._counted.admit():
            self._processor.on_end(_readable(span, self._resource))
        else:
            SPANS.labels("dropped").inc()

    def close(self, seconds: float) -> None:
        """Export what is left; what takes longer is lost."""
        closing = threading.Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)


class _Counted(SpanExporter):
    """Counts what waits and what became of it."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._waiting = 0

    def admit(self) -> bool:
        """Whether there is room for one more; then it counts as waiting."""
        with self._lock:
            if self._waiting >= QUEUE:
                return False
            self._waiting += 1
            return True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, from the SDK's thread."""
        with self._lock:
            self._waiting -= len(spans)
        result = self._inner.export(spans)
        SPANS.labels("exported" if result is SpanExportResult.SUCCESS else "failed").inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._inner.shutdown()


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    """As the SDK has it. What failed is exported whether its trace is sampled or not."""
    attributes = span.attributes
    status = Status(StatusCode.UNSET)
    if span.error is not None:
        attributes = attributes | {ERROR_TYPE: span.error}
        status = Status(StatusCode.ERROR)
    return ReadableSpan(
        span.name,
        _foreign(span.context, sampled=True),
        None if span.parent is None else _foreign(span.parent, sampled=span.parent.sampled),
        resource,
        attributes,
        links=[Link(_foreign(link, sampled=link.sampled)) for link in span.links],
        kind=SpanKind[span.kind.name],
        status=status,
        start_time=span.started,
        end_time=span.ended,
        instrumentation_scope=SCOPE,
    )


def _foreign(context: Context, *, sampled: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=False, trace_flags=flags
    )
