"""What the broker is told about each kind of topic, and which differences are refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.ops.topic_plan import Actual, broker_settings, plan
from schemas.topics import COMPACTED_WITHIN, GONE_KEPT, TOMBSTONES_KEPT, TOPICS, Kind, Topic

DAY = 24 * 60 * 60 * 1000
COMMANDS = Topic("a.commands", Kind.COMMAND, "a", "", keep=timedelta(days=3))
SEALED = Topic("a.sealed", Kind.COMMAND, "a", "", keep=timedelta(minutes=8))
SIGNALS = Topic("a.signals", Kind.SIGNAL, "a", "", keep=timedelta(days=14))
EVENTS = Topic("a.events", Kind.STATE, "a", "")


def present(topic: Topic, **changes: object) -> Actual:
    """The topic as a broker has it that matches, but for `changes`."""
    return replace(Actual(topic.partitions, 1, broker_settings(topic)), **changes)  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(
    ("topic", "retention", "segment"),
    [(COMMANDS, 3 * DAY, DAY * 3 // 4), (SEALED, 8 * 60_000, 2 * 60_000), (SIGNALS, 14 * DAY, DAY)],
)
def test_what_is_kept_for_a_time_is_deleted_soon_after_it(topic: Topic, retention: int, segment: int) -> None:
    settings = broker_settings(topic)

    assert settings["cleanup.policy"] == "delete"
    assert settings["retention.ms"] == str(retention)
    assert settings["segment.ms"] == str(segment)
    assert "max.compaction.lag.ms" not in settings


@pytest.mark.parametrize("kind", [Kind.STATE, Kind.HISTORY, Kind.PUBLIC])
def test_compacted_kinds_keep_the_newest_record_for_ever_and_tombstones_for_a_week(kind: Kind) -> None:
    settings = broker_settings(replace(EVENTS, kind=kind))

    assert settings["cleanup.policy"] == "compact"
    assert settings["retention.ms"] == "-1"
    assert settings["max.compaction.lag.ms"] == str(DAY)
    assert settings["delete.retention.ms"] == str(7 * DAY)
    assert settings["min.compaction.lag.ms"] == "0"
    assert int(settings["segment.ms"]) < DAY


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_every_topic_has_the_brokers_time_and_room_for_the_largest_message(topic: Topic) -> None:
    settings = broker_settings(topic)

    assert settings["message.timestamp.type"] == "LogAppendTime"
    assert int(settings["max.message.bytes"]) > 512 * 1024
    assert settings["unclean.leader.election.enable"] == "false"


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_with_three_replicas_an_acknowledgement_means_two(replication: int, in_sync: str) -> None:
    assert broker_settings(EVENTS, replication)["min.insync.replicas"] == in_sync


def test_who_may_still_read_a_tombstone_is_remembered_longer_than_it() -> None:
    assert GONE_KEPT > COMPACTED_WITHIN + TOMBSTONES_KEPT


def test_a_broker_that_matches_has_nothing_to_do() -> None:
    found = plan(
        {"a.events": EVENTS}, {"a.events": present(EVENTS), "__consumer_offsets": present(EVENTS)}, 1
    )

    assert found.matches
    assert found.unknown == ()


def test_a_missing_topic_is_created() -> None:
    assert plan({"a.events": EVENTS}, {}, 1).create == (EVENTS,)


def test_a_setting_that_differs_is_set_and_one_of_nobody_is_taken_back() -> None:
    settings = broker_settings(EVENTS) | {"retention.ms": "5", "flush.ms": "7"}
    del settings["segment.ms"]

    found = plan({"a.events": EVENTS}, {"a.events": present(EVENTS, settings=settings)}, 1)

    assert found.configure[EVENTS] == (
        "flush.ms: 7 -> default",
        "retention.ms: 5 -> -1",
        f"segment.ms: default -> {DAY // 2}",
    )


@pytest.mark.parametrize("partitions", [11, 13])
def test_another_number_of_partitions_is_refused_with_the_reason_and_what_to_do(partitions: int) -> None:
    found = plan({"a.events": EVENTS}, {"a.events": present(EVENTS, partitions=partitions)}, 1)

    assert not found.matches
    assert "move keys" in found.refused[0]
    assert f"Declare {partitions} again" in found.refused[0]


def test_another_number_of_replicas_is_refused_with_what_to_do() -> None:
    found = plan({"a.events": EVENTS}, {"a.events": present(EVENTS)}, 3)

    assert "kafka-reassign-partitions" in found.refused[0]


def test_a_topic_of_nobody_is_shown_and_is_no_difference() -> None:
    found = plan({}, {"a.stray": present(EVENTS)}, 1)

    assert found.unknown == ("a.stray",)
    assert found.matches
