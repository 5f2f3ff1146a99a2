"""The spans of a page of the relay, and the `traceparent` that its events travel with."""

from collections.abc import Iterator

import pytest

from infra.telemetry.context import Context, root
from producers.outbox import Row
from producers.pages import Page
from tests.infra.telemetry.conftest import exporting
from tests.infra.telemetry.receiver import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def row(cause: Context | None, number: int = 1) -> Row:
    """An event that a `process` span caused."""
    header = None if cause is None else cause.header
    headers = [("ce_id", b"1"), ("ce_type", b"PickPublished")]
    wire = [] if header is None else [("traceparent", header.encode())]
    return Row(number, "pick.events", 0, b"k", b"{}", [*wire, *headers], header)


def traceparent(sent: Row) -> str | None:
    values = [value.decode() for name, value in sent.headers if name == "traceparent"]
    assert len(values) <= 1
    return values[0] if values else None


def test_without_a_collector_rows_are_sent_as_they_are() -> None:
    rows = [row(root(sampled=True)), row(root(sampled=False))]

    with Page(rows) as page:
        assert page.rows == rows


def test_sampled_events_travel_under_their_send_span_and_others_as_they_are(collector: Collector) -> None:
    cause, unsampled = root(sampled=True), row(root(sampled=False), 2)
    with exporting(collector.endpoint, 0), Page([row(cause), unsampled, row(None, 3)]) as page:
        page.sent([7, 8, 9])

    [own] = [span for span in collector.spans if span.trace_id == cause.trace_id]
    [whole] = [span for span in collector.spans if span is not own]
    assert traceparent(page.rows[0]) == Context(cause.trace_id, own.span_id, True).header
    assert page.rows[1:] == [unsampled, row(None, 3)]
    assert (own.parent, own.links) == (cause.span_id, (cause.span_id, whole.span_id))
    assert own.attributes["messaging.kafka.offset"] == 7
    assert (whole.name, whole.links) == ("send pick.events", (cause.span_id,))
    assert whole.attributes["messaging.batch.message_count"] == 3


def test_a_page_of_one_has_one_span(collector: Collector) -> None:
    with exporting(collector.endpoint, 0), Page([row(root(sampled=True))]) as page:
        page.sent([7])

    assert len(collector.spans) == 1


@pytest.mark.parametrize("size", [1, 2])
def test_a_page_that_could_not_be_sent_is_an_error_although_nothing_is_sampled(
    collector: Collector, size: int
) -> None:
    rows = [row(root(sampled=False), number) for number in range(size)]
    with exporting(collector.endpoint, 0), pytest.raises(OSError, match="away"), Page(rows):
        raise OSError("away")

    [span] = collector.spans
    assert (span.failed, span.attributes["error.type"]) == (True, "OSError")
