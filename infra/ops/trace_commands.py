"""Finds commands on their topics: the record that was decided, and the repeats that its sender sent."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from infra.ops.log_reader import PATIENCE, LogReader, appended_at
from infra.ops.trace_model import Decision, Letter, Seen, Where
from infra.partitions import partition_of
from schemas.topics import TOPICS, Kind

MOST_SAME_TIME: Final = 2_000
"""Records looked at behind the moment when the broker appended a command."""
MOST_LATER: Final = 5_000
"""Records behind it that are looked at for repeats, on each partition."""
UNREADABLE: Final = (KafkaError, UnicodeDecodeError, TimeoutError)
COMMANDS: Final = tuple(topic for topic in TOPICS.values() if topic.kind is Kind.COMMAND)


async def commands(
    reader: LogReader, decisions: Sequence[Decision], letters: Sequence[Letter]
) -> dict[str, Seen]:
    """The first record of each decided command, by its id; left out is what the topic no longer has.

    It lies where its dead letter says, else on the partition of its key at the moment of the decision's `at`.
    """
    places = dict(_places_of_letters(decisions, letters))
    there = await reader.at(places.values())
    found = {id: Seen.of(there[where]) for id, where in places.items() if where in there}
    for decision in decisions:
        if str(decision.command_id) not in found and (seen := await _at_its_time(reader, decision)):
            found[str(decision.command_id)] = seen
    return found


def _places_of_letters(
    decisions: Sequence[Decision], letters: Sequence[Letter]
) -> Iterable[tuple[str, Where]]:
    """A command that was set aside and replayed is decided at another time than it came."""
    decided = {each.command_id for each in decisions}
    for letter in sorted(letters, key=lambda letter: letter.where, reverse=True):
        if letter.message_id in decided and TOPICS[letter.where[0].topic] in COMMANDS:
            yield str(letter.message_id), letter.where


async def _at_its_time(reader: LogReader, decision: Decision) -> Seen | None:
    for topic in COMMANDS:
        if topic.owner != decision.schema:
            continue
        place = TopicPartition(topic.name, partition_of(decision.key, topic))
        start = await reader.since(place, decision.at)
        if start is None:
            continue
        end = min((await reader.bounds([place]))[place][1], start + MOST_SAME_TIME)
        if found := await _search(reader, place, start, end, decision):
            return found
    return None


async def _search(
    reader: LogReader, place: TopicPartition, start: int, end: int, decision: Decision
) -> Seen | None:
    try:
        async with asyncio.timeout(PATIENCE), aclosing(reader.read(place, start, end)) as records:
            async for raw in records:
                if appended_at(raw) > decision.at:
                    return None
                if (record := Seen.of(raw)).id == str(decision.command_id):
                    return record
    except UNREADABLE:
        return None
    return None


async def repeats(reader: LogReader, first: Mapping[str, Seen]) -> tuple[dict[str, list[Seen]], list[str]]:
    """Later records with the same ids, and what was not looked at: a sender that got no answer asks again."""
    if not first:
        return {}, []
    starts: dict[TopicPartition, int] = {}
    for place, offset in sorted((seen.where for seen in first.values()), reverse=True):
        starts[place] = offset + 1
    bounds = await reader.bounds(starts)
    found: dict[str, list[Seen]] = {}
    notes = []
    for place, start in starts.items():
        end = min(bounds[place][1], start + MOST_LATER)
        whole = await _collect(reader, place, start, end, first, found)
        if not whole or end < bounds[place][1]:
            notes.append(f"repeats on {place.topic}/{place.partition} beyond offset {end}")
    return found, notes


async def _collect(
    reader: LogReader,
    place: TopicPartition,
    start: int,
    end: int,
    first: Mapping[str, Seen],
    found: dict[str, list[Seen]],
) -> bool:
    if start >= end:
        return True
    try:
        async with asyncio.timeout(PATIENCE), aclosing(reader.read(place, start, end)) as records:
            async for raw in records:
                seen = Seen.of(raw)
                if seen.id is not None and seen.id in first and seen.where != first[seen.id].where:
                    found.setdefault(seen.id, []).append(seen)
    except UNREADABLE:
        return False
    return True
