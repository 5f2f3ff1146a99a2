"""How a command gets onto its topic, and when its caller may be told that it is there."""

import asyncio
from typing import Final

from prometheus_client import Counter, Gauge

from infra.partitions import partition_of
from infra.settings import Settings
from infra.telemetry.context import HEADER
from infra.telemetry.sending import Sending
from producers.deadlines import Deadlines
from producers.errors import (
    NotSentError,
    OutcomeUnknownError,
    RecordTooLargeError,
    SenderFullError,
    SendError,
)
from producers.lanes import Lane, Lanes
from producers.room import Place, Record, Room
from schemas.envelope import Meta
from schemas.message import Command
from schemas.topics import MAX_BODY, Topic

DEADLINE: Final = 2.0
ROOM_RECORDS: Final = 10_000
ROOM_BYTES: Final = 64 * 1024 * 1024
STOP_SECONDS: Final = 4.0

FAILED: Final = Counter("pickly_sender_failed_total", "Records without acknowledgement, by error.", ["error"])
HELD: Final = Gauge("pickly_sender_held_records", "Records that wait or are on their way.")


class Sender:
    """Sends records with acks=all; one per process. `room` is how many records it holds at a time."""

    def __init__(self, settings: Settings, *, deadline: float = DEADLINE, room: int = ROOM_RECORDS) -> None:
        self._deadline = deadline
        self._deadlines = Deadlines(deadline, self._give_up)
        self._room = Room(room, ROOM_BYTES)
        self._lanes = Lanes(settings.kafka, self._room)
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        HELD.set_function(lambda: self._room.records)

    async def start(self) -> None:
        """Begin to connect. Does not wait for a broker that is away: `why_not_ready` tells."""
        self._tasks = [asyncio.create_task(self._lanes.link.keep()), asyncio.create_task(self._lanes.fly())]

    async def stop(self) -> None:
        """Take nothing more, deliver what a few seconds allow, give everybody an answer."""
        self._stopping = True
        await self._room.until_empty(STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for record in await self._lanes.close():
            record.refuse(NotSentError("the sender stopped before the record's turn"))

    def why_not_alive(self) -> str | None:
        """For /healthz: None, or why only a new process helps."""
        return "a task of the sender has ended" if any(task.done() for task in self._tasks) else None

    def why_not_ready(self) -> str | None:
        """For /readyz: None, or why records cannot be sent now."""
        return self._lanes.link.why_down() if self._room.fits(0) else "the waiting room is full"

    async def send(self, command: Command, meta: Meta) -> Place:
        """Put a command on its topic; where it is, once the broker has acknowledged it with acks=all.

        Raises OutcomeUnknownError when the deadline passes after the record was handed over, NotSentError
        when before that, SenderFullError at once; all are safe to repeat with the same id. For
        RecordTooLargeError that is of no use.
        """
        topic, key = command.topic, command.key
        return await self.send_record(topic, partition_of(key, topic), key, command.body(), meta.headers())

    async def send_record(
        self, topic: Topic, partition: int, key: str, value: bytes | None, headers: dict[str, str]
    ) -> Place:
        """Put any record on a topic, like `send`; a value of None is a tombstone.

        It travels with the `traceparent` of its own `send` span.
        """
        if not 0 <= partition < topic.partitions:
            raise ValueError(f"{topic.name} has no partition {partition}")
        with Sending(topic.name, partition, headers) as sending:
            record = self._admit(key, value, headers, sending.traceparent)
            lane = self._lanes.enter(topic.name, partition, record)
            self._deadlines.add(lane, record)
            try:
                place = await record.answer
            except SendError as error:
                FAILED.labels(type(error).__name__).inc()
                raise
            sending.acknowledged(place[1])
            return place

    def _admit(self, key: str, value: bytes | None, headers: dict[str, str], traceparent: str) -> Record:
        wire = [(name, text.encode()) for name, text in headers.items() if name != HEADER]
        size = (
            len(key) + len(value or b"") + len("".join(headers)) + len(b"".join([text for _, text in wire]))
        )
        if size > MAX_BODY:
            raise RecordTooLargeError(f"the record has {size} bytes, allowed are {MAX_BODY}")
        if self._stopping:
            raise NotSentError("the sender is stopping")
        if not self._room.fits(size):
            FAILED.labels(SenderFullError.__name__).inc()
            raise SenderFullError(f"{self._room.records} records wait already")
        wire.append((HEADER, traceparent.encode()))
        return Record(key.encode(), value, wire, size, asyncio.get_running_loop().create_future())

    def _give_up(self, lane: Lane, record: Record) -> None:
        if record.departed:
            record.refuse(OutcomeUnknownError(f"no acknowledgement within {self._deadline} s"))
        else:
            record.refuse(NotSentError(f"it could not be handed to Kafka within {self._deadline} s"))
        self._lanes.drop_abandoned(lane)
