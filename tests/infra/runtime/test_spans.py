"""The spans of a group's transactions, on real PostgreSQL: who is recorded, under what, and with what."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from infra.runtime import Db
from infra.runtime.decider import Decider
from infra.runtime.poll import ATTEMPTS
from infra.runtime.records import Record
from infra.telemetry.context import Context, parse, root
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled
from tests.infra.telemetry.conftest import exporting
from tests.infra.telemetry.receiver import Collector, Seen, collecting

MakeBench = Callable[..., Bench]


@pytest.fixture
def c() -> Contract:
    return contract("spans", partitions=1)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


async def ready(bench: MakeBench, c: Contract, group: Decider | None = None) -> tuple[Bench, Tape]:
    made = bench(group or decider(c))
    await made.own(TopicPartition(c.commands.name, 0))
    return made, Tape.of(c.commands)


def put(tape: Tape, c: Contract, context: Context | None, key: str = "a", value: str = "1") -> Record:
    header = None if context is None else context.header
    return tape.add(c.Put(key_=key, owner=OWNER, value=value), partition=0, traceparent=header)


def of(collector: Collector, context: Context) -> list[Seen]:
    return [span for span in collector.spans if span.trace_id == context.trace_id]


async def test_a_single_message_is_a_child_of_where_it_came_from_and_what_it_causes_carries_its_span(
    bench: MakeBench, db: Db, c: Contract, collector: Collector
) -> None:
    b, tape = await ready(bench, c)
    sent = root(sampled=True)

    with exporting(collector.endpoint, 0):
        await b.poller.run(polled(put(tape, c, sent)))

    [span] = collector.spans
    assert (span.name, span.kind) == (f"process {c.commands.name}", "consumer")
    assert (span.trace_id, span.parent, span.links) == (sent.trace_id, sent.span_id, (sent.span_id,))
    assert (
        span.attributes.items()
        >= {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": c.commands.name,
            "messaging.destination.partition.id": "0",
            "messaging.consumer.group.name": "widgets",
            "messaging.kafka.offset": 0,
            "messaging.kafka.message.tombstone": False,
            "pickly.message.type": "Put",
        }.items()
    )
    assert 0 <= span.seconds < 600
    caused = parse(await db.fetchval("SELECT headers->>'traceparent' FROM outbox"))
    assert caused == Context(sent.trace_id, span.span_id, True)


async def test_of_many_at_once_each_sampled_one_stays_in_its_trace_and_one_span_links_to_all(
    bench: MakeBench, db: Db, c: Contract, collector: Collector
) -> None:
    b, tape = await ready(bench, c)
    first, second, unsampled = root(sampled=True), root(sampled=True), root(sampled=False)
    records = [put(tape, c, each, key) for each, key in ((first, "a"), (unsampled, "b"), (second, "c"))]

    with exporting(collector.endpoint, 0):
        await b.poller.run(polled(*records))

    [one], [two] = of(collector, first), of(collector, second)
    assert of(collector, unsampled) == []
    [whole] = [span for span in collector.spans if span not in (one, two)]
    assert whole.attributes["messaging.batch.message_count"] == 3
    assert (whole.parent, whole.links) == ("", (first.span_id, second.span_id))
    assert (one.parent, one.links) == (first.span_id, (first.span_id, whole.span_id))
    headers = await db.fetch("SELECT headers->>'traceparent' FROM outbox ORDER BY id")
    assert [row[0] for row in headers] == [
        Context(first.trace_id, one.span_id, True).header,
        unsampled.header,
        Context(second.trace_id, two.span_id, True).header,
    ]


async def test_a_failing_message_is_exported_although_nothing_is_sampled(
    bench: MakeBench, c: Contract, collector: Collector
) -> None:
    b, tape = await ready(bench, c)
    sent = root(sampled=False)
    poison = put(tape, c, sent, value="poison")

    with exporting(collector.endpoint, 0):
        for _ in range(ATTEMPTS):
            await b.poller.run(polled(poison))

    spans = of(collector, sent)
    assert [span.failed for span in spans] == [True] * (ATTEMPTS + 1)
    assert {span.parent for span in spans} == {sent.span_id}
    assert [span.attributes["error.type"] for span in spans] == ["PoisonError"] * ATTEMPTS + [
        "handler_failed"
    ]
    assert "status" in spans[0].text
    assert "message:" not in spans[0].text, "a status has no text"


async def test_hostile_bytes_are_an_error_too(bench: MakeBench, c: Contract, collector: Collector) -> None:
    b, tape = await ready(bench, c)
    record = tape.raw(b"k", b"not json", [("ce_id", b"\xff")], 0)

    with exporting(collector.endpoint, 0):
        await b.poller.run(polled(record))

    [span] = collector.spans
    assert (span.failed, span.attributes["error.type"]) == (True, "undecodable_headers")


async def test_a_group_that_lost_its_partition_made_no_error(
    bench: MakeBench, c: Contract, collector: Collector
) -> None:
    b, tape = await ready(bench, c)
    record = put(tape, c, root(sampled=False))
    async with b.poller.connection.use() as connection:
        await connection.execute("UPDATE position SET next_offset = 7")

    with exporting(collector.endpoint, 0):
        (verdict,) = (await b.poller.run(polled(record))).values()

    assert verdict.trouble == "stale"
    assert collector.spans == []


async def test_ages_are_counted_by_group_and_lead_to_a_trace(
    bench: MakeBench, c: Contract, collector: Collector
) -> None:
    group = decider(c)
    group.name = f"g{uuid4().hex}"
    b, tape = await ready(bench, c, group)
    sent = root(sampled=True)

    with exporting(collector.endpoint, 0):
        await b.poller.run(polled(put(tape, c, sent), put(tape, c, None, "b")))

    [family] = [each for each in REGISTRY.collect() if each.name == "pickly_message_age_seconds"]
    samples = [sample for sample in family.samples if sample.labels.get("group") == group.name]
    assert [sample.value for sample in samples if sample.name.endswith("_count")] == [2]
    exemplars = {sample.exemplar.labels["trace_id"] for sample in samples if sample.exemplar}
    assert exemplars == {sent.trace_id}
