"""One trace from the request to the read models, as a collector sees it."""

import asyncio
import re
from collections.abc import Callable

import httpx

from infra.telemetry.context import root
from tests.infra.telemetry.receiver import Collector, Seen
from tests.journeys.conftest import Person
from tests.journeys.telemetry.conftest import Watched

ROUTE = "POST /v1/picks"
EXEMPLAR = re.compile(r'# \{trace_id="([0-9a-f]{32})"\}')
Step = tuple[str, str]
"""Process and name of a span."""
GATEWAY, SENT = ("gateway", ROUTE), ("gateway", "send pick.commands")
DECIDED = ("curation", "process pick.commands")
PICK, THING = ("relay", "send pick.events"), ("relay", "send thing.events")
TREE: dict[Step, Step] = {
    SENT: GATEWAY,
    DECIDED: SENT,
    PICK: DECIDED,
    THING: DECIDED,
    ("social", "process pick.events"): PICK,
    ("read_picks", "process pick.events"): PICK,
    ("read_things", "process pick.events"): PICK,
    ("read_things", "process thing.events"): THING,
}
"""Every span of the trace but the first, and whose child it is."""


async def publish(someone: Person, ref: str, traceparent: str) -> httpx.Response:
    """Publish a pick in a trace of the client's, and wait until it is visible."""
    body = {"thing": {"ref": ref, "kind": "film", "title": "A film"}}
    headers = {"prefer": "wait=10", "traceparent": traceparent}
    return await someone.http.post("/v1/picks", json=body, headers=headers)


async def spans_of(collector: Collector, trace_id: str, number: int) -> list[Seen]:
    """The spans of the trace once so many are here; they are exported every second."""
    async with asyncio.timeout(60):
        while len(found := [span for span in collector.spans if span.trace_id == trace_id]) < number:  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.1)
    return found


async def arrived(collector: Collector, trace_id: str) -> dict[Step, Seen]:
    """The whole trace of a pick that was published, by step."""
    found = await spans_of(collector, trace_id, len(TREE) + 1)
    steps = {(span.service, span.name): span for span in found}
    assert len(steps) == len(found), [(span.service, span.name) for span in found]
    return steps


async def test_a_request_is_one_trace_through_every_process(
    person: Callable[[], Person], ref: str, collector: Collector
) -> None:
    client = root(sampled=False)

    answer = await publish(person(), ref, client.header)

    assert answer.status_code == 201
    command_id = answer.headers["pickly-command"]
    steps = await arrived(collector, client.trace_id)
    names = {span.span_id: step for step, span in steps.items()}
    assert {step: names.get(span.parent) for step, span in steps.items()} == {GATEWAY: None, **TREE}
    assert steps[GATEWAY].parent == client.span_id
    assert [step for step, span in steps.items() if span.failed] == []

    kinds = {step: span.kind for step, span in steps.items()}
    assert {step for step in kinds if kinds[step] == "server"} == {GATEWAY}
    assert {step for step in kinds if kinds[step] == "producer"} == {SENT, PICK, THING}
    assert (
        steps[GATEWAY].attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/v1/picks",
            "http.response.status_code": 201,
        }.items()
    )
    assert steps[DECIDED].attributes["messaging.message.id"] == command_id
    messages = [span for step, span in steps.items() if step != GATEWAY]
    assert {span.attributes["messaging.message.conversation_id"] for span in messages} == {command_id}


async def test_the_place_of_a_message_is_the_same_on_both_sides_of_the_broker(
    person: Callable[[], Person], ref: str, collector: Collector
) -> None:
    client = root(sampled=False)
    await publish(person(), ref, client.header)

    steps = await arrived(collector, client.trace_id)

    place = ("messaging.destination.name", "messaging.destination.partition.id", "messaging.kafka.offset")
    for step, span in steps.items():
        if step[1].startswith("process"):
            before = steps[TREE[step]]
            assert [span.attributes[name] for name in place] == [before.attributes[name] for name in place]
            assert span.attributes["messaging.consumer.group.name"] == step[0]
            assert 0 <= span.seconds < 60
            assert before.span_id in span.links


async def test_the_relays_page_is_a_span_that_links_to_what_caused_its_events(
    person: Callable[[], Person], ref: str, collector: Collector
) -> None:
    client = root(sampled=False)
    await publish(person(), ref, client.header)

    steps = await arrived(collector, client.trace_id)

    decided = steps[DECIDED]
    pages = [span for span in collector.spans if span.service == "relay" and decided.span_id in span.links]
    [page] = [span for span in pages if span.trace_id != client.trace_id]
    assert (page.name, page.parent) == ("send", "")
    assert page.attributes["messaging.batch.message_count"] >= 2
    assert page.span_id in steps[PICK].links


async def test_log_lines_of_a_request_carry_its_trace(
    person: Callable[[], Person], ref: str, stack: Watched, collector: Collector
) -> None:
    client = root(sampled=False)
    await publish(person(), ref, client.header)

    steps = await arrived(collector, client.trace_id)

    log = (stack.folder / "gateway.log").read_text()
    [line] = [line for line in log.splitlines() if client.trace_id in line and '"event": "request"' in line]
    assert steps[GATEWAY].span_id in line


async def test_latencies_lead_to_traces(
    person: Callable[[], Person], ref: str, stack: Watched, collector: Collector
) -> None:
    client = root(sampled=False)
    await publish(person(), ref, client.header)

    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    async with httpx.AsyncClient(headers=accept) as scraper:
        metrics = {
            name: (await scraper.get(f"http://127.0.0.1:{port}/metrics")).text
            for name, port in stack.ports.items()
        }

    for name, histogram in (
        ("gateway", "pickly_http_seconds_bucket"),
        ("curation", "pickly_transaction_seconds_bucket"),
        ("read_picks", "pickly_message_age_seconds_bucket"),
    ):
        lines = [line for line in metrics[name].splitlines() if line.startswith(histogram)]
        traces = {found[1] for line in lines if (found := EXEMPLAR.search(line))}
        assert traces, f"{histogram} of {name} leads nowhere"
        await spans_of(collector, traces.pop(), 1)
