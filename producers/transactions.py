"""Pages of an outbox onto their topics, one Kafka transaction each, by one producer at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from producers.closing import close
from producers.link import BATCH_BYTES
from producers.outbox import Row

REQUEST_MS: Final = 5_000
TRANSACTION_MS: Final = 10_000
"""After which the broker aborts what a dead relay left open; a successor's start does so at once."""


class OffsetUnknownError(RuntimeError):
    """The broker took a batch without saying where: aiokafka calls that a success."""


class Transactions:
    """Sends under `transactional_id`. Whoever starts fences all earlier producers of that id for good.

    After any exception throw the object away: an aiokafka producer in an error state refuses everything.
    """

    def __init__(self, kafka: str, transactional_id: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=kafka,
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_MS,
            acks="all",
            request_timeout_ms=REQUEST_MS,
            max_batch_size=BATCH_BYTES,
        )

    async def start(self) -> None:
        """Connect and fence; what a predecessor left open is aborted."""
        await self._producer.start()

    async def publish(self, rows: Sequence[Row]) -> list[int]:
        """Put all rows on their topics, or, as far as readers of committed records see, none.

        Returns the offset of each. Raised errors leave the outcome open: start anew and send the page again.
        """
        offsets = [-1] * len(rows)
        await self._producer.begin_transaction()
        for members, first in await self._send(rows):
            for place, index in enumerate(members):
                offsets[index] = first + place
        if min(offsets) < 0:
            raise OffsetUnknownError(f"the broker gave no offset for {offsets.count(-1)} records")
        await self._producer.commit_transaction()
        return offsets

    async def _send(self, rows: Sequence[Row]) -> list[tuple[list[int], int]]:
        """The indexes of each batch's rows, and its first offset.

        All must have landed before the commit, which would commit the others without those that failed.
        """
        members: list[list[int]] = []
        landings: list[asyncio.Future[RecordMetadata]] = []
        try:
            for topic, partition, indexes in _by_partition(rows):
                for batch, aboard in self._batches(rows, indexes):
                    landings.append(await self._producer.send_batch(batch, topic, partition=partition))
                    members.append(aboard)
        finally:
            landed = await asyncio.gather(*landings, return_exceptions=True)
        placed: list[tuple[list[int], int]] = []
        for aboard, result in zip(members, landed, strict=True):
            if isinstance(result, BaseException):
                raise result
            placed.append((aboard, result.offset))
        return placed

    def _batches(self, rows: Sequence[Row], indexes: list[int]) -> Iterator[tuple[BatchBuilder, list[int]]]:
        batch, aboard = self._producer.create_batch(), list[int]()
        for index in indexes:
            row = rows[index]
            if not _append(batch, row):
                yield batch, aboard
                batch, aboard = self._producer.create_batch(), []
                _append(batch, row)  # an empty batch takes every record
            aboard.append(index)
        yield batch, aboard

    async def check(self) -> None:
        """Raise KafkaConnectionError when no broker answers: who has nothing to send would not notice."""
        if not await self._producer.client.force_metadata_update():
            raise KafkaConnectionError("no broker answers")

    async def close(self) -> None:
        """Bounded; an open transaction is aborted by the next `start`, or by the broker after its timeout."""
        await close(self._producer)


def _append(batch: BatchBuilder, row: Row) -> bool:
    return batch.append(timestamp=None, key=row.key, value=row.body, headers=row.headers) is not None


def _by_partition(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[int]]]:
    groups: dict[tuple[str, int], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault((row.topic, row.partition), []).append(index)
    for (topic, partition), indexes in groups.items():
        yield topic, partition, indexes
