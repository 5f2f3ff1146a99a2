"""What a decider writes down beside its state: decisions, outbox, effects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import orjson

from infra.partitions import partition_of
from infra.runtime import gone
from infra.runtime.fates import TooLargeError
from infra.runtime.group import Group
from infra.runtime.handlers import Db
from infra.runtime.records import Incoming
from infra.runtime.results import Effect, Outcome, Refusal, Reply, Unchanged
from schemas.envelope import Meta
from schemas.message import Command, Message, State, Tombstone
from schemas.topics import MAX_BODY

DECISIONS_KEPT: Final = timedelta(days=8)
ANSWERS_KEPT: Final = timedelta(minutes=10)
PORTION: Final = 10_000


@dataclass(frozen=True, slots=True)
class Caused:
    """A message on its way to the outbox."""

    message: Message
    key: str
    meta: Meta
    cause: UUID
    body: bytes | None


@dataclass(slots=True)
class Entry:
    """What one message led to."""

    incoming: Incoming
    status: str
    reason: str | None = None
    after: UUID | None = None
    caused: list[Caused] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    sealed_answer: bytes | None = None


def entry_of(group: Group, incoming: Incoming, outcome: Outcome) -> Entry:
    """Turn a handler's answer into rows. Raises TooLargeError, and TypeError for a topic it may not write."""
    if isinstance(outcome, Refusal):
        return Entry(incoming, "refused", outcome.reason, outcome.after)
    if isinstance(outcome, Unchanged):
        return Entry(incoming, "unchanged", after=outcome.after)
    results: Sequence[Message | Effect | Reply]
    results = [outcome] if isinstance(outcome, Message | Effect | Reply) else outcome
    entry = Entry(incoming, "decided" if results else "unchanged")
    for result in results:
        if isinstance(result, Effect):
            entry.effects.append(result)
        elif isinstance(result, Reply):
            entry.sealed_answer = result.sealed
        else:
            entry.caused.append(cause(group, incoming.meta, result, len(entry.caused)))
    return entry


def cause(group: Group, meta: Meta, message: Message, position: int) -> Caused:
    """Let `message` follow from the message that `meta` belongs to: id, cause and correlation are derived."""
    if not message.topic.may_be_written_by(group.schema):
        raise TypeError(f"{group.name} may not write {message.topic.name}")
    body = None if isinstance(message, Tombstone) else message.body()
    if body is not None and len(body) > MAX_BODY:
        raise TooLargeError(f"{type(message).__name__} has {len(body)} bytes, at most {MAX_BODY}")
    key = message.key
    follows = Meta(
        id=meta.caused_id(group.name, position),
        type=type(message).__name__,
        at=meta.at,
        subject=f"{message.subject}/{key}",
        source=f"pickly/{group.schema}",
        actor=meta.actor,
        cause=meta.id,
        correlation=meta.correlation or meta.id,
        sequence=message.version if isinstance(message, State | Tombstone) else None,
        traceparent=meta.traceparent,
    )
    return Caused(message, key, follows, meta.id, body)


async def bury(db: Db, entries: Sequence[Entry]) -> None:
    """Remember the tombstones at once: a later message of the same poll may begin a new life of the key."""
    tombstones = [
        (each.message.topic.name, each.key, each.message.version)
        for entry in entries
        for each in entry.caused
        if isinstance(each.message, Tombstone)
    ]
    if tombstones:
        await gone.remember(db, tombstones)


async def write(db: Db, group: Group, entries: Sequence[Entry], *, again: bool = False) -> None:
    """Decisions of commands, outbox rows, effects and what is now gone, set-based. `again` as in `decide`."""
    commands = [entry for entry in entries if isinstance(entry.incoming.message, Command)]
    if commands:
        await decide(db, [_decision(entry) for entry in commands], again=again)
    caused = [each for entry in entries for each in entry.caused]
    if caused:
        await post(db, group, caused)
    effects = [row for entry in entries if entry.effects for row in _effects(group, entry)]
    if effects:
        await db.executemany(
            "INSERT INTO effect (id, group_name, kind, payload, cause) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            effects,
        )


def _decision(entry: Entry) -> "DecisionRow":
    meta, about = entry.incoming.meta, entry.incoming.message
    resource = about.about if isinstance(about, Message) else meta.subject
    return decision_row(
        *(meta, resource, entry.status, entry.reason, len(entry.caused), entry.after, entry.sealed_answer)
    )


def _effects(group: Group, entry: Entry) -> list[tuple[UUID, str, str, str, UUID]]:
    meta, first = entry.incoming.meta, len(entry.caused)
    return [
        (
            meta.caused_id(group.name, first + i),
            group.name,
            effect.kind,
            orjson.dumps(effect.payload).decode(),
            meta.id,
        )
        for i, effect in enumerate(entry.effects)
    ]


DecisionRow: TypeAlias = tuple[
    UUID, UUID | None, str, str, str | None, str, str | None, int, UUID | None, bytes | None, datetime
]


def decision_row(
    meta: Meta,
    resource: str,
    status: str,
    reason: str | None,
    events: int = 0,
    after: UUID | None = None,
    sealed_answer: bytes | None = None,
) -> DecisionRow:
    """One row of `decision`."""
    asked = (meta.id, meta.actor, meta.type)
    return (*asked, status, reason, resource, meta.body_hash, events, after, sealed_answer, meta.at)


DECIDE = """
    INSERT INTO decision (command_id, actor, type, status, reason, resource, body_hash, events, after,
                          sealed_answer, at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::int[], $9::uuid[], $10::bytea[], $11::timestamptz[])
    ON CONFLICT (command_id)
"""
DECIDE_AGAIN = f"""{DECIDE} DO UPDATE
       SET status = excluded.status, reason = excluded.reason, resource = excluded.resource,
           events = excluded.events, after = excluded.after, at = excluded.at
     WHERE decision.status = 'parked'
"""


async def decide(db: Db, rows: Sequence[DecisionRow], *, again: bool = False) -> None:
    """Write decisions down; the first one of a command stands, unless it is `parked` and decided `again`.

    What is decided again is decided now: its command may be old, and its sender must find the answer for as
    long as any other.
    """
    query = DECIDE_AGAIN if again else f"{DECIDE} DO NOTHING"
    if again:
        rows = [(*row[:-1], datetime.now(UTC)) for row in rows]
    await db.execute(query, *map(list, zip(*rows, strict=True)))


OUTBOX: Final = ("cause", "event_id", "topic", "partition", "key", "body", "headers")


async def post(db: Db, group: Group, caused: Iterable[Caused]) -> None:
    """Put messages into the outbox in their order, and ring the relay."""
    await db.copy_records_to_table("outbox", records=map(_outbox_row, caused), columns=OUTBOX)
    await db.execute(f"NOTIFY outbox_{group.schema}")


def _outbox_row(each: Caused) -> tuple[UUID, UUID, str, int, str, bytes | None, str]:
    message = each.message
    return (
        each.cause,
        each.meta.id,
        message.topic.name,
        partition_of(each.key, message.topic),
        each.key,
        each.body,
        orjson.dumps(each.meta.headers()).decode(),
    )


PRUNE: Final = """
    DELETE FROM decision WHERE command_id IN (
        SELECT command_id FROM decision WHERE at < clock_timestamp() - $1::interval LIMIT $2)
"""


async def prune(db: Db) -> None:
    """Forget old decisions, a portion at a time; they live as long as idempotency keys are kept."""
    while await db.execute(PRUNE, DECISIONS_KEPT, PORTION) == f"DELETE {PORTION}":
        continue


FORGET_ANSWERS: Final = """
    UPDATE decision SET sealed_answer = NULL
     WHERE sealed_answer IS NOT NULL AND at < clock_timestamp() - $1::interval
"""


async def forget_answers(db: Db) -> None:
    """Whoever waited for a sealed answer has it by now, or never will."""
    await db.execute(FORGET_ANSWERS, ANSWERS_KEPT)
