"""Puts poison onto the topics, and behind some of it a command that is parked."""

import asyncio
import time
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import PICK_COMMANDS
from tests.chaos import wishes
from tests.chaos.delivery import Load, Outcome, attempt
from tests.chaos.ledger import Attempt
from tests.chaos.people import Person
from tests.chaos.poison import Cabinet, Poison

EVERY: Final = (0.5, 1.5)
FOLLOWED: Final = 0.4
REQUEST_MS: Final = 20_000


async def plant(load: Load, kafka: str, cabinet: Cabinet) -> None:
    """A record every second or so, until the run is over."""
    while not load.over.is_set():
        person = load.door.somebody(load.chance)
        poison = cabinet.take(person.id)
        if poison is not None:
            outcome = await _send(load, kafka, poison)
            if outcome == "acked" and _parks(poison) and load.chance.random() < FOLLOWED:
                await _follow(load, person, UUID(poison.key_text))
        await asyncio.sleep(load.chance.uniform(*EVERY))


async def _send(load: Load, kafka: str, poison: Poison) -> Outcome:
    """Once: a repeat of a record without a readable id would be a letter of its own.

    The producer is idempotent and new, so that its own repeats are none and nothing of before disturbs it.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, request_timeout_ms=REQUEST_MS
    )
    outcome: Outcome = "refused"
    place = ""
    try:
        await producer.start()
        outcome = "unknown"
        landed = await producer.send_and_wait(
            poison.topic.name,
            poison.value,
            key=poison.key,
            partition=poison.partition,
            headers=list(poison.headers),
        )
        if landed.offset >= 0:
            outcome, place = "acked", f"{landed.topic}/{landed.partition}/{landed.offset}"
    except (KafkaError, OSError, TimeoutError):
        pass  # the outcome says it
    finally:
        await producer.stop()
    _record(load, poison, outcome, place)
    return outcome


def _record(load: Load, poison: Poison, outcome: Outcome, place: str) -> None:
    if outcome != "refused":
        load.counts["poison" if poison.reason else "hostile"] += 1
    load.ledger.record(
        Attempt(
            id=poison.id,
            key=poison.key_text,
            seq=1,
            type=poison.type,
            topic=poison.topic.name,
            body_hash=poison.body_hash,
            via="topic",
            at=time.time(),
            outcome=outcome,
            poison=poison.reason,
            detail=place or poison.name,
        )
    )


def _parks(poison: Poison) -> bool:
    """Whether its key is parked behind it and is that of a pick."""
    named = poison.key is not None and poison.reason not in ("", "undecodable_key")
    return named and poison.topic is PICK_COMMANDS


async def _follow(load: Load, person: Person, pick_id: UUID) -> None:
    load.counts["parked"] += 1
    await attempt(load, wishes.delete(person, 2, pick_id), "topic", poison="parked")
