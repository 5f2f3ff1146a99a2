"""Lag tells the truth to the record: how many wait, since when, who stands still and what was set aside."""

import json
import signal
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.ops.database import DatabaseError
from infra.ops.lag_json import as_json
from infra.ops.lag_model import Report, Sum, reasons, summed
from infra.ops.lag_reading import look
from infra.ops.topic_broker import BrokerError
from infra.roles import DECIDERS, PROJECTIONS
from infra.settings import Settings
from schemas.topics import TOPICS
from tests.infra.ops.lag.world import World, part_of, run, start

COMMANDS = TopicPartition("pick.commands", 3)
EVENTS = TopicPartition("pick.events", 5)
REACTIONS = TopicPartition("reaction.events", 2)
PARTS = sum(topic.partitions * len(topic.readers) for topic in TOPICS.values())


def of_group(report: Report, group: str) -> Sum:
    return summed([part for part in report.parts if part.group == group], report.at)


def stale(report: Report) -> dict[str, float | None]:
    return {name: model.oldest_seconds for name, model in report.read_models().items()}


async def test_who_has_read_everything_is_not_behind_and_nothing_waits(world: World) -> None:
    report = await look(world.settings)

    total = summed(report.parts, report.at)
    assert (total.behind, total.oldest_seconds, total.dead, total.parked_keys, total.stopped) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert stale(report) == dict.fromkeys(PROJECTIONS, 0.0)
    assert [(each.schema, each.depth, each.oldest_at) for each in report.outboxes] == [
        (decider, 0, None) for decider in DECIDERS
    ]  # fmt: skip
    assert len(report.parts) == PARTS


async def test_aborted_records_and_markers_count_as_offsets_but_never_as_the_oldest_record(
    world: World,
) -> None:
    await world.abort(EVENTS, 2)
    _, oldest = await world.send(EVENTS)
    await world.send(EVENTS)
    await world.send(EVENTS)

    report = await look(world.settings)

    part = part_of(report, "read_things", EVENTS)
    assert part.behind == 6  # two aborted, their marker, three that count
    assert part.oldest_at == oldest
    assert of_group(report, "read_things").oldest_seconds == pytest.approx(
        (report.at - oldest).total_seconds(), abs=0.001
    )
    assert of_group(report, "curation").behind == 0


async def test_where_only_markers_are_left_nobody_waits(world: World) -> None:
    await world.abort(EVENTS, 2)

    report = await look(world.settings)

    assert part_of(report, "read_picks", EVENTS).behind == 3
    assert part_of(report, "read_picks", EVENTS).oldest_at is None
    assert stale(report) == dict.fromkeys(PROJECTIONS, 0.0)


async def test_each_group_has_the_age_of_its_own_next_record(world: World) -> None:
    _, first = await world.send(EVENTS)
    _, second = await world.send(EVENTS)
    await world.move("read_picks", EVENTS, 1)
    await world.move("social", EVENTS, 2)

    report = await look(world.settings)

    waiting = {group: part_of(report, group, EVENTS) for group in ("read_things", "read_picks", "social")}
    assert {group: (part.behind, part.oldest_at) for group, part in waiting.items()} == {
        "read_things": (2, first),
        "read_picks": (1, second),
        "social": (0, None),
    }


async def test_a_read_model_is_as_old_as_the_oldest_event_of_all_its_topics(world: World) -> None:
    _, oldest = await world.send(REACTIONS)
    await world.send(EVENTS)
    await world.move("read_things", EVENTS, 1)

    report = await look(world.settings)

    age = (report.at - oldest).total_seconds()
    assert stale(report) == {**dict.fromkeys(PROJECTIONS, 0.0), "read_picks": pytest.approx(age, abs=0.001)}


async def test_what_was_never_read_waits_from_the_start_of_the_log(world: World) -> None:
    await world.send(EVENTS)
    await world.db.execute("DELETE FROM read_picks.position")

    report = await look(world.settings)

    part = part_of(report, "read_picks", EVENTS)
    assert part.position is None
    assert part.behind == part.end - part.start > 0
    assert part.oldest_at is not None
    assert of_group(report, "read_picks").last_progress_seconds is None


async def test_a_partition_that_stands_still_is_shown_with_its_reason(world: World) -> None:
    await world.db.execute(
        "UPDATE social.position SET stopped = 'unknown type [x]' WHERE topic = $1 AND partition = $2", *EVENTS
    )

    report = await look(world.settings)
    _, shown = await run(world.settings, "infra.ops.lag")

    assert of_group(report, "social").stopped == 1
    assert reasons(report.parts) == {"unknown type [x]": [EVENTS.partition]}
    assert "stopped social on pick.events, partition 5: unknown type [x]" in shown


async def test_open_letters_are_counted_and_deciders_park_their_keys(world: World) -> None:
    await world.letter("curation", COMMANDS, 1, "a")
    await world.letter("curation", COMMANDS, 2, "a", parked=True)
    await world.letter("curation", COMMANDS, 3, "b")
    await world.letter("curation", COMMANDS, 4, "c", closed_at=datetime.now(UTC))
    await world.letter("read_picks", EVENTS, 5, "a")

    report = await look(world.settings)

    counts = {group: (of_group(report, group).dead, of_group(report, group).parked_keys) for group, _ in
              report.groups()}  # fmt: skip
    assert {group: count for group, count in counts.items() if any(count)} == {
        "curation": (3, 2), "read_picks": (1, 0),
    }  # fmt: skip
    assert part_of(report, "curation", COMMANDS).dead == 3
    assert {name: model.dead for name, model in report.read_models().items()} == {
        **dict.fromkeys(PROJECTIONS, 0), "read_picks": 1,
    }  # fmt: skip


async def test_the_outbox_has_a_depth_and_an_age(world: World) -> None:
    oldest = datetime(2026, 6, 1, tzinfo=UTC)
    for at in (datetime.now(UTC), oldest):
        await world.db.execute(
            "INSERT INTO social.outbox (cause, event_id, topic, partition, key, headers, created_at)"
            " VALUES ($1, $1, 'reaction.events', 0, 'k', '{}', $2)",
            uuid4(),
            at,
        )

    report = await look(world.settings)

    assert [(each.schema, each.depth, each.oldest_at) for each in report.outboxes] == [
        (decider, 2, oldest) if decider == "social" else (decider, 0, None) for decider in DECIDERS
    ]  # fmt: skip


async def test_what_kafka_was_told_stands_beside_the_position(world: World) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=world.settings.kafka, group_id="read_things", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([EVENTS])
        await consumer.commit({EVENTS: 1})
    finally:
        await consumer.stop()

    part = part_of(await look(world.settings), "read_things", EVENTS)

    assert part.committed == 1
    assert part.position == part.end


async def test_the_json_is_one_line_of_the_documented_shape(world: World) -> None:
    await world.send(EVENTS)

    code, out = await run(world.settings, "infra.ops.lag", "--json")

    told = json.loads(out)
    expected = as_json(await look(world.settings))
    assert code == 0
    assert out.count("\n") == 1
    assert told.keys() == expected.keys() == {"at", "groups", "read_models", "outboxes", "effects", "total"}
    assert told["total"]["behind"] == 3
    (read_picks,) = [group for group in told["groups"] if group["group"] == "read_picks"]
    assert [topic["topic"] for topic in read_picks["topics"]] == [
        "account.events",
        "pick.events",
        "reaction.events",
    ]
    (part,) = [p for p in read_picks["topics"][1]["partitions"] if p["partition"] == EVENTS.partition]
    assert (part["behind"], part["end"] - part["position"]) == (1, 1)
    assert part["oldest_seconds"] > 0
    assert {model["name"] for model in told["read_models"]} == set(PROJECTIONS)


async def test_people_see_groups_topics_and_if_they_like_partitions(world: World) -> None:
    await world.send(EVENTS)

    code, short = await run(world.settings, "infra.ops.lag")
    _, long = await run(world.settings, "infra.ops.lag", "--partitions")

    assert code == 0
    assert "total: 3 records behind" in short
    assert "read model read_picks" in short
    assert len(long.splitlines()) == len(short.splitlines()) + PARTS


async def test_a_broker_or_database_that_is_away_is_told(world: World) -> None:
    nowhere = world.settings.model_copy(update={"kafka": "127.0.0.1:1"})
    no_database = world.settings.model_copy(update={"database": "postgresql://127.0.0.1:1/pickly"})

    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        await look(nowhere)
    with pytest.raises(DatabaseError, match="does not answer"):
        await look(no_database)


async def test_a_database_that_is_not_migrated_says_what_to_do(empty: Settings) -> None:
    with pytest.raises(DatabaseError, match="pickly migrate"):
        await look(empty)


async def test_watching_goes_on_until_it_is_interrupted_and_then_ends_well(world: World) -> None:
    process = await start(world.settings, "infra.ops.lag", "--watch", "--json")
    assert process.stdout is not None

    seen = [json.loads(await process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)

    assert seen[0]["at"] < seen[1]["at"]
    assert await process.wait() == 0
