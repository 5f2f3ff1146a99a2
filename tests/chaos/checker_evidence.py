"""Everything the judge looks at, read once: topics whole, and the tables of every group."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from infra.settings import Settings
from schemas.message import State
from schemas.picks import PickState
from schemas.reactions import Reacted
from schemas.things import ThingAdded
from schemas.topics import PICK_EVENTS, REACTION_EVENTS, THING_EVENTS, TOPICS, Kind
from tests.chaos.log import Entry, read_topics
from tests.chaos.model import Content
from tests.chaos.plan import DECIDERS

if TYPE_CHECKING:
    from asyncpg import Connection

JUDGED = {name: topic for name, topic in TOPICS.items() if topic.owner in DECIDERS}
"""The topics of those whom the load asks for something. Identity runs beside; nobody signs up here yet."""
COMMANDS = {name: topic for name, topic in JUDGED.items() if topic.kind is Kind.COMMAND}
STATES = {name: topic for name, topic in JUDGED.items() if topic.kind is Kind.STATE}
DECIDING: Mapping[str, tuple[str, type[State]]] = {
    PICK_EVENTS.name: ("curation.pick", PickState),
    REACTION_EVENTS.name: ("social.reaction", Reacted),
    THING_EVENTS.name: ("curation.thing", ThingAdded),
}
"""By state topic, the table that decides it, and what its rows are."""
READ_MODELS = (
    "read_picks.pick",
    "read_picks.reaction",
    "read_picks.reaction_count",
    "read_things.thing",
    "read_things.pick_edge",
    "read_things.thing_count",
)
Row = Mapping[str, Any]
Subjects = dict[str, dict[str, "Standing"]]


@dataclass(frozen=True)
class Standing:
    """A row of a deciding table."""

    version: int
    content: Content
    changed_by: UUID | None


@dataclass(frozen=True)
class Told:
    """A row of `decision`. `offsets`: by event id, the place where the relay put it."""

    status: str
    reason: str | None
    after: UUID | None
    events: int
    offsets: dict[UUID, str]
    body_hash: str | None
    type: str


@dataclass
class Evidence:
    """`commands` and `states`: entries by topic. `letters`: (group, place) to reason. `subjects`: by state
    topic and key. `gone`: last sequence by state topic and key, as its decider remembers it."""

    commands: dict[str, list[Entry]]
    states: dict[str, list[Entry]]
    decisions: dict[UUID, Told]
    inbox: dict[str, set[UUID]]
    letters: dict[tuple[str, str], str]
    subjects: Subjects
    gone: dict[tuple[str, str], int]
    read: dict[str, list[Row]]


async def gather(settings: Settings) -> Evidence:
    """Read it all; the platform has come to rest before. Tables first: a minute may tick meanwhile, and what
    is in an inbox must be in the log that is read after it."""
    db = await asyncpg.connect(settings.dsn("postgres"))
    try:
        async with db.transaction(isolation="repeatable_read", readonly=True):
            subjects, gone = await _deciding(db)
            decisions, inbox, letters = await _decisions(db), await _inbox(db), await _letters(db)
            read = {table: await _rows(db, f"SELECT * FROM {table}") for table in READ_MODELS}
    finally:
        await db.close()
    commands = await read_topics(settings.kafka, COMMANDS.values())
    states = await read_topics(settings.kafka, STATES.values())
    return Evidence(commands, states, decisions, inbox, letters, subjects, gone, read)


async def gather_tails(
    settings: Settings,
) -> tuple[dict[str, list[Entry]], Subjects, dict[tuple[str, str], int]]:
    """What the tail check needs."""
    db = await asyncpg.connect(settings.dsn("postgres"))
    try:
        async with db.transaction(isolation="repeatable_read", readonly=True):
            subjects, gone = await _deciding(db)
    finally:
        await db.close()
    return await read_topics(settings.kafka, STATES.values()), subjects, gone


def _owners() -> list[str]:
    return sorted({topic.owner for topic in JUDGED.values()})


async def _deciding(db: "Connection") -> tuple[Subjects, dict[tuple[str, str], int]]:
    if unknown := STATES.keys() - DECIDING.keys():
        raise RuntimeError(f"no deciding table is known for {sorted(unknown)}: add it to DECIDING")
    subjects: Subjects = {}
    for topic, (table, kind) in DECIDING.items():
        rows = await _rows(db, f"SELECT * FROM {table}")
        subjects[topic] = dict(_standing(kind, row) for row in rows)
    gone: dict[tuple[str, str], int] = {}
    for topic in STATES:
        ended = await db.fetch(
            f"SELECT key, sequence FROM {STATES[topic].owner}.gone WHERE topic = $1", topic
        )
        gone |= {(topic, row["key"]): row["sequence"] for row in ended}
    return subjects, gone


async def _rows(db: "Connection", query: str) -> list[Row]:
    return [dict(row) for row in await db.fetch(query)]


def _standing(kind: type[State], row: Row) -> tuple[str, Standing]:
    state = kind.model_validate(row)
    return state.key, Standing(state.version, content_of(state), row.get("changed_by"))


def content_of(state: State) -> Content:
    """The state without its version."""
    return state.model_dump()  # the version is excluded from every dump


async def _decisions(db: "Connection") -> dict[UUID, Told]:
    found: dict[UUID, Told] = {}
    for owner in _owners():
        for row in await db.fetch(f"SELECT * FROM {owner}.decision"):
            places = json.loads(row["offsets"]).items()
            found[row["command_id"]] = Told(
                row["status"],
                row["reason"],
                row["after"],
                row["events"],
                {UUID(event): f"{topic}/{part}/{offset}" for event, (topic, part, offset) in places},
                row["body_hash"],
                row["type"],
            )
    return found


async def _inbox(db: "Connection") -> dict[str, set[UUID]]:
    found: dict[str, set[UUID]] = {}
    for owner in _owners():
        for row in await db.fetch(f"SELECT group_name, message_id FROM {owner}.inbox"):
            found.setdefault(row["group_name"], set()).add(row["message_id"])
    return found


async def _letters(db: "Connection") -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for schema in sorted({*_owners(), *(reader for topic in JUDGED.values() for reader in topic.readers)}):
        for row in await db.fetch(f"SELECT * FROM {schema}.dead_letter"):
            place = f"{row['topic']}/{row['partition']}/{row['record_offset']}"
            found[row["group_name"], place] = row["reason"]
    return found
