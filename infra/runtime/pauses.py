"""Which partitions of a group wait or stand still in this process, until when, and why."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError

from infra.runtime import metrics
from infra.runtime.fetch import Consumer

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 30.0
NOTABLE_PAUSE: Final = 1.0
"""A partition that waits longer than this at a time makes the process not ready."""
LOOK_AGAIN: Final = 5.0
"""Seconds after which a partition that stands still is tried again."""


@dataclass(slots=True)
class Pause:
    """Until when (monotonic seconds) a partition waits, how long in all, and why."""

    until: float
    seconds: float
    reason: str


class Pauses:
    """What is not read just now.

    `waiting` partitions are entered again when their time has come. `standing` ones have an alarm: they wait
    too, and when they are tried again they keep the alarm until something went through.
    """

    def __init__(self, group: str) -> None:
        self.waiting: dict[TopicPartition, Pause] = {}
        self.standing: dict[TopicPartition, str] = {}
        self._group = group
        self._backoff: dict[TopicPartition, float] = {}

    def reasons(self) -> list[str]:
        """For /readyz: what stands still or waits long."""
        long = {place: pause for place, pause in self.waiting.items() if pause.seconds > NOTABLE_PAUSE}
        told = {place: f"waits, {pause.reason}" for place, pause in long.items()} | self.standing
        return [f"{place.topic}/{place.partition}: {why}" for place, why in sorted(told.items())]

    def hold(self, places: Iterable[TopicPartition]) -> None:
        """Let them be entered (again) before they are read (on)."""
        for place in places:
            self.waiting[place] = Pause(0.0, 0.0, "to be entered")

    def due(self) -> list[TopicPartition]:
        """What has waited long enough."""
        now = time.monotonic()
        return sorted(place for place, pause in self.waiting.items() if pause.until <= now)

    def wait(self, consumer: Consumer, place: TopicPartition, trouble: str, reason: str) -> None:
        """Pause with back-off: 0.2 s doubling to 30 s, jittered; always 0.2 s for `stale` and `retry`."""
        last = self._backoff.get(place, FIRST_PAUSE / 2)
        seconds = FIRST_PAUSE if trouble in ("stale", "retry") else min(last * 2, LONGEST_PAUSE)
        self._backoff[place] = seconds
        jittered = seconds * random.uniform(0.8, 1.2)  # no secret, only spread
        self.waiting[place] = Pause(time.monotonic() + jittered, seconds, reason)
        self._pause(consumer, place)
        log.warning("paused", group=self._group, place=str(place), why=trouble, reason=reason)

    def stand(self, consumer: Consumer, place: TopicPartition, reason: str) -> None:
        """Stand still with an alarm, until it is tried again."""
        self.alarm(place, reason)
        self.waiting[place] = Pause(time.monotonic() + LOOK_AGAIN, LOOK_AGAIN, reason)
        self._pause(consumer, place)

    def alarm(self, place: TopicPartition, reason: str) -> None:
        """Something is wrong with it, whether it waits or is being tried again."""
        if self.standing.get(place) != reason:
            log.error("partition_stopped", group=self._group, place=str(place), reason=reason)
        self.standing[place] = reason
        self._count()

    def go(self, consumer: Consumer, place: TopicPartition) -> None:
        """Read it (again)."""
        self.waiting.pop(place, None)
        consumer.resume(place)

    def well(self, place: TopicPartition) -> None:
        """It went through: the next pause is short again."""
        self._backoff.pop(place, None)

    def lift(self, place: TopicPartition) -> None:
        """The alarm is over."""
        if self.standing.pop(place, None) is not None:
            log.info("partition_goes_on", group=self._group, place=str(place))
        self._count()

    def leave(self, place: TopicPartition) -> None:
        """It is not ours any more."""
        for table in (self.waiting, self.standing, self._backoff):
            table.pop(place, None)
        self._count()

    def _pause(self, consumer: Consumer, place: TopicPartition) -> None:
        try:
            consumer.pause(place)
        except IllegalStateError:
            self.leave(place)

    def _count(self) -> None:
        metrics.STOPPED.labels(self._group).set(len(self.standing))
