"""Follows an id through the mesh: decisions first, then only those places of the logs that they lead to."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from aiokafka import TopicPartition

from infra.ops import trace_database
from infra.ops.database import ops_connection
from infra.ops.log_reader import PATIENCE, LogReader, Raw, log_reader
from infra.ops.trace_commands import COMMANDS, UNREADABLE, commands, repeats
from infra.ops.trace_model import Decision, Event, Journey, Letter, Position, Seen, Trace, reader_of
from infra.ops.trace_rows import rows
from infra.partitions import partition_of
from infra.settings import Settings
from schemas.topics import TOPICS, Topic

if TYPE_CHECKING:
    from asyncpg import Connection

Positions: TypeAlias = Mapping[tuple[str, TopicPartition], Position]
DEEP: Final = 5
"""How many commands that follow from commands are followed."""
MOST_WAITING: Final = 5_000
"""Records without a decision that are looked at on each partition."""


async def trace(settings: Settings, asked: str) -> Trace:
    """All that is known of a command, a correlation id, a subject or an edge. Raises as `lag` does.

    `asked`: a UUID, `<subject>/<edge>`, or a resource such as `picks/<id>`.
    """
    key = _key(asked)
    async with ops_connection(settings) as db, log_reader(settings.kafka) as reader:
        found, more = await _decisions(db, key)
        positions = await trace_database.positions(db)
        waiting, notes = await _waiting(reader, key, found, positions)
        letters = await _letters(db, key, found)
        journeys, unseen = await _journeys(db, reader, found, letters, positions)
    notes += unseen
    if more:
        notes.append(f"decisions before the newest {trace_database.MOST}")
    told = {letter for journey in journeys for letter in journey.letters}
    return Trace(asked, journeys, waiting, [each for each in letters if each not in told], notes)


def _key(asked: str) -> str:
    """Without the plural noun of a resource: `picks/<id>` is the key `<id>`."""
    first, slash, rest = asked.strip().partition("/")
    return rest if slash and _uuid(first) is None else asked.strip()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _decisions(db: "Connection", key: str) -> tuple[list[Decision], bool]:
    """Those of the command, or about the subject, and those of commands that followed; oldest first."""
    command = _uuid(key)
    first = await trace_database.by_commands(db, [command] if command else [])
    more = False
    if not first:
        first, more = await trace_database.by_subject(db, key)
    found = {each.command_id: each for each in first}
    newest: Sequence[Decision] = first
    for _ in range(DEEP):
        caused = {id for each in newest for id, place in each.places.items() if place[0].topic in _names()}
        newest = await trace_database.by_commands(db, caused - found.keys())
        found |= {each.command_id: each for each in newest}
    return sorted(found.values(), key=lambda each: each.at), more


def _names() -> set[str]:
    return {topic.name for topic in COMMANDS}


async def _letters(db: "Connection", key: str, found: Sequence[Decision]) -> list[Letter]:
    """Letters of the commands and their events; of the whole subject, unless a command was asked for."""
    events = {id: where for each in found for id, where in each.places.items()}
    messages = {each.command_id for each in found} | events.keys()
    command = _uuid(key)
    asked_for_command = command in messages
    if command:
        messages.add(command)
    subject = "" if asked_for_command else key.partition("/")[0]
    return await trace_database.letters(db, messages, set(events.values()), subject)


async def _waiting(
    reader: LogReader, key: str, found: Sequence[Decision], positions: Positions
) -> tuple[list[Seen], list[str]]:
    """Commands of this id, correlation or subject that their decider has not reached: behind its position."""
    if any(str(each.command_id) == key for each in found):
        return [], []
    places = [place for topic in COMMANDS for place in _places(topic, key, known=bool(found))]
    bounds = await reader.bounds(places)
    seen: list[Seen] = []
    notes: list[str] = []
    for place in places:
        owner = positions.get((TOPICS[place.topic].owner, place))
        start = max(owner.next_offset if owner else 0, bounds[place][0])
        if start >= bounds[place][1]:
            continue
        some, all_of_it = await _search(reader, place, start, bounds[place][1], key)
        seen += some
        if not all_of_it:
            notes.append(f"all undecided commands on {place.topic}/{place.partition}")
    return seen, notes


def _places(topic: Topic, key: str, *, known: bool) -> list[TopicPartition]:
    """The key's partition; all of them as long as the id may be a command's."""
    if known or "/" in key:
        return [TopicPartition(topic.name, partition_of(key, topic))]
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


async def _search(
    reader: LogReader, place: TopicPartition, start: int, end: int, key: str
) -> tuple[list[Seen], bool]:
    found: list[Seen] = []
    count = 0
    try:
        async with asyncio.timeout(PATIENCE), aclosing(reader.read(place, start, end)) as records:
            async for raw in records:
                count += 1
                if count > MOST_WAITING:
                    return found, False
                if _is_about(raw, key):
                    found.append(Seen.of(raw))
    except UNREADABLE:
        return found, False
    return found, True


def _is_about(raw: Raw, key: str) -> bool:
    record, its_key = Seen.of(raw), (raw.key or b"").decode("utf-8", "replace")
    return key in (record.id, record.correlation) or f"{its_key}/".startswith(f"{key}/")


async def _journeys(
    db: "Connection",
    reader: LogReader,
    found: Sequence[Decision],
    letters: Sequence[Letter],
    positions: Positions,
) -> tuple[list[Journey], list[str]]:
    raws = await reader.at({where for each in found for where in each.places.values()})
    records = {where: Seen.of(raw) for where, raw in raws.items()}
    shown = await rows(db, records.values())
    first = await commands(reader, found, letters)
    again, notes = await repeats(reader, first)
    journeys = []
    for decision in found:
        events = [
            Event(id, where, records.get(where),
                  [reader_of(group, where, positions.get((group, where[0])), letters,
                             shown.get((group, where), ()))
                   for group in TOPICS[where[0].topic].readers])
            for id, where in decision.places.items()
        ]  # fmt: skip
        name = str(decision.command_id)
        mine = _of(decision, letters)
        journeys.append(Journey(decision, first.get(name), again.get(name, ()), _in_order(events), mine))
    return journeys, notes


def _of(decision: Decision, letters: Sequence[Letter]) -> list[Letter]:
    own, places = {decision.command_id, *decision.places}, set(decision.places.values())
    return [each for each in letters if each.message_id in own or each.where in places]


def _in_order(events: Collection[Event]) -> list[Event]:
    return sorted(events, key=lambda each: (each.record is None, each.record and each.record.at, each.where))
