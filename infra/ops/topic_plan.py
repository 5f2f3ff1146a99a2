"""What the broker must be told about each topic, and how that differs from what it says: no network here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from schemas.topics import COMPACTED_WITHIN, TOMBSTONES_KEPT, Topic

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""The broker limits batches: the sender's are 512 KiB, and a value of 256 KiB has headers beside it."""
LONGEST_SEGMENT: Final = timedelta(days=1)
SEALED_SEGMENT: Final = timedelta(minutes=1)
SEALED_FILE: Final = timedelta(seconds=5)
"""How long the broker keeps the file of a deleted segment of a sealed topic; its default is a minute."""


@dataclass(frozen=True, slots=True)
class Actual:
    """A topic as the broker has it; `settings` are those set on the topic itself, without defaults."""

    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do so that the broker matches. With a refusal nothing may be done."""

    create: tuple[Topic, ...] = ()
    configure: Mapping[Topic, tuple[str, ...]] = field(default_factory=dict)  # with each difference in words
    refused: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def matches(self) -> bool:
        """Whether there is nothing to do; topics that nobody declared do not count."""
        return not (self.create or self.configure or self.refused)


def broker_settings(topic: Topic, replication: int = 1) -> dict[str, str]:
    """Every setting of `topic` that we rely on, as Kafka's topic configuration names and writes it."""
    common = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2" if replication >= 3 else "1",
        "unclean.leader.election.enable": "false",
    }
    if topic.keep is None:
        return common | _compacted()
    return common | _aged(topic.keep) | (_sealed(topic.keep) if topic.sealed else {})


def _aged(keep: timedelta) -> dict[str, str]:
    """Only closed segments are deleted, so a record lives for `keep` and up to one segment longer."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": _ms(keep),
        "segment.ms": _ms(min(keep / 4, LONGEST_SEGMENT)),
    }


def _sealed(keep: timedelta) -> dict[str, str]:
    """Ciphertext goes soon after its time: segments close each minute, and their files go at once."""
    return {"segment.ms": _ms(min(keep / 4, SEALED_SEGMENT)), "file.delete.delay.ms": _ms(SEALED_FILE)}


def _compacted() -> dict[str, str]:
    """Only closed segments are compacted: they close early enough for COMPACTED_WITHIN to be kept."""
    return {
        "cleanup.policy": "compact",
        "retention.ms": "-1",
        "segment.ms": _ms(COMPACTED_WITHIN / 2),
        "min.compaction.lag.ms": "0",
        "max.compaction.lag.ms": _ms(COMPACTED_WITHIN),
        "delete.retention.ms": _ms(TOMBSTONES_KEPT),
    }


def _ms(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))


def plan(declared: Mapping[str, Topic], actual: Mapping[str, Actual], replication: int) -> Plan:
    """Compare by topic name; Kafka's own topics (`__...`) are nobody's business."""
    found = {name: topic for name, topic in declared.items() if name in actual}
    differences = {
        topic: _differences(broker_settings(topic, replication), actual[name].settings)
        for name, topic in found.items()
    }
    refusals = (_refusal(topic, actual[name], replication) for name, topic in found.items())
    return Plan(
        create=tuple(topic for name, topic in declared.items() if name not in actual),
        configure={topic: lines for topic, lines in differences.items() if lines},
        refused=tuple(text for text in refusals if text),
        unknown=tuple(sorted(n for n in actual if n not in declared and not n.startswith("__"))),
    )


def _differences(wanted: Mapping[str, str], present: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name}: {present.get(name, 'default')} -> {wanted.get(name, 'default')}"
        for name in sorted(wanted.keys() | present.keys())
        if wanted.get(name) != present.get(name)
    )


def _refusal(topic: Topic, actual: Actual, replication: int) -> str | None:
    if actual.partitions != topic.partitions:
        return (
            f"{topic.name} has {actual.partitions} partitions, the declaration says {topic.partitions}: "
            "a change would move keys to other partitions, and order per key would be lost. "
            f"Declare {actual.partitions} again, or fill a new topic beside this one and retire this one."
        )
    if actual.replication != replication:
        return (
            f"{topic.name} has {actual.replication} replicas, PICKLY_REPLICATION says {replication}: "
            "move the replicas with Kafka's kafka-reassign-partitions.sh, then apply again."
        )
    return None
