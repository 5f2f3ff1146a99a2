"""The `send` span of a command: whose child it is, what it says, and when it is recorded."""

import asyncio

import pytest

from infra.telemetry.context import inside, parse, root
from infra.telemetry.sending import Sending
from producers.errors import OutcomeUnknownError
from tests.infra.telemetry.conftest import exporting
from tests.infra.telemetry.receiver import Collector

HEADERS = {"ce_id": "1", "ce_type": "PublishPick", "ce_correlation": "2", "ce_subject": "picks/3"}


def test_a_record_is_sent_in_the_trace_of_the_request(collector: Collector) -> None:
    request = root(sampled=True)

    with exporting(collector.endpoint, 0), inside(request):
        with Sending("pick.commands", 4, HEADERS) as sending:
            sending.acknowledged(7)

    [span] = collector.spans
    assert (span.name, span.kind) == ("send pick.commands", "producer")
    assert (span.trace_id, span.parent) == (request.trace_id, request.span_id)
    assert parse(sending.traceparent) == (span.trace_id, span.span_id, True)
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "pick.commands",
        "messaging.destination.partition.id": "4",
        "messaging.kafka.offset": 7,
        "messaging.message.id": "1",
        "messaging.message.conversation_id": "2",
        "pickly.message.type": "PublishPick",
    }


def test_what_nobody_asked_for_begins_a_trace(collector: Collector) -> None:
    with exporting(collector.endpoint, 1), Sending("pick.commands", 0, {}):
        pass

    [span] = collector.spans
    assert span.parent == ""


def test_a_record_that_was_not_acknowledged_is_an_error_although_nothing_is_sampled(
    collector: Collector,
) -> None:
    with exporting(collector.endpoint, 0):
        with inside(root(sampled=False)), Sending("pick.commands", 0, HEADERS):
            pass
        with pytest.raises(OutcomeUnknownError), Sending("pick.commands", 0, HEADERS):
            raise OutcomeUnknownError("no acknowledgement")
        with pytest.raises(asyncio.CancelledError), Sending("pick.commands", 0, HEADERS):
            raise asyncio.CancelledError

    assert [(span.failed, span.attributes["error.type"]) for span in collector.spans] == [
        (True, "OutcomeUnknownError")
    ]
