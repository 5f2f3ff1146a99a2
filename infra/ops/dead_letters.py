"""Dead letters as ops sees them over all groups: found, counted, marked. The owning group does the rest."""

import getpass
import socket
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from infra.roles import schemas

if TYPE_CHECKING:
    from asyncpg import Connection, Record


class LetterError(RuntimeError):
    """What was asked for is not there, or cannot be done; says what to do."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a letter lies: the record that it was, and whose it is."""

    group: str
    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From GROUP/TOPIC/PARTITION/OFFSET; raises LetterError."""
        match text.split("/"):
            case [str(group), str(topic), partition, offset] if partition.isdigit() and offset.isdigit():
                return cls(group, topic, int(partition), int(offset))
        raise LetterError(f"{text!r} is no letter: write GROUP/TOPIC/PARTITION/OFFSET, as `dead list` does")

    def __str__(self) -> str:
        return f"{self.group}/{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters; None means any."""

    group: str | None = None
    type: str | None = None
    reason: str | None = None
    schema_version: str | None = None
    place: Place | None = None

    def __str__(self) -> str:
        if self.place is not None:
            return str(self.place)
        said = {
            "group": self.group,
            "type": self.type,
            "reason": self.reason,
            "schema-version": self.schema_version,
        }
        return " ".join(f"{name}={value}" for name, value in said.items() if value is not None) or "all"


@dataclass(frozen=True, slots=True)
class Found:
    """A letter that can be marked."""

    schema: str
    place: Place
    key: str | None
    appended_at: datetime


NO_VERSION: Final = "-"
"""The schema version of a letter without `ce_dataschema`: older than that header, or no message of ours."""
VERSION: Final = f"""
    coalesce((SELECT left(substring(h ->> 1 FROM '^urn:pickly:[A-Za-z]+:([0-9.]+)$'), 20)
                FROM jsonb_array_elements(headers) AS h WHERE h ->> 0 = 'ce_dataschema' LIMIT 1),
             '{NO_VERSION}')
"""
LETTERS: Final = f"""
    SELECT group_name, type, reason, {VERSION} AS schema_version, topic, partition, record_offset, state,
           parked, first_at, closed_at
      FROM {{schema}}.dead_letter
"""
GROUPED: Final = """
    SELECT group_name, type, reason, schema_version, count(*) AS letters,
           count(*) FILTER (WHERE parked) AS parked,
           count(*) FILTER (WHERE closed_at IS NULL AND state <> 'open') AS marked,
           min(first_at) AS oldest, clock_timestamp() - min(first_at) AS age,
           (array_agg(topic ORDER BY first_at, topic, partition, record_offset))[1] AS topic,
           (array_agg(partition ORDER BY first_at, topic, partition, record_offset))[1] AS partition,
           (array_agg(record_offset ORDER BY first_at, topic, partition, record_offset))[1] AS record_offset
      FROM ({letters}) AS letters
     WHERE ($1::text IS NULL OR group_name = $1) AND ($2::text IS NULL OR type = $2)
       AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR schema_version = $4)
       AND CASE $5::text WHEN 'all' THEN true WHEN 'unclosed' THEN closed_at IS NULL ELSE state = $5 END
     GROUP BY 1, 2, 3, 4 ORDER BY 1, letters DESC, 2, 3, 4
"""
OPEN: Final = f"""
    WITH open AS (SELECT * FROM {{schema}}.dead_letter WHERE closed_at IS NULL AND state = 'open'),
    chosen AS (
        SELECT * FROM open
         WHERE ($1::text IS NULL OR group_name = $1) AND ($2::text IS NULL OR type = $2)
           AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR {VERSION} = $4)
           AND ($5::text IS NULL OR topic = $5 AND partition = $6 AND record_offset = $7))
    SELECT group_name, topic, partition, record_offset, key, appended_at FROM chosen
     UNION
    SELECT group_name, topic, partition, record_offset, key, appended_at FROM open o
     WHERE parked AND ((group_name, topic, key) IN (SELECT * FROM unnest($8::text[], $9::text[], $10::text[]))
        OR EXISTS (SELECT FROM chosen c WHERE (c.group_name, c.topic, c.key) = (o.group_name, o.topic, o.key)
                      AND c.record_offset < o.record_offset))
"""
SELECTED: Final = """
    (group_name, topic, partition, record_offset)
        IN (SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]))
"""
NOTE_DOWN: Final = "INSERT INTO mesh.audit (who, action, target, reason, letters) VALUES ($1, $2, $3, $4, $5)"


async def grouped(db: "Connection", which: Filter, state: str) -> list["Record"]:
    """Counts by group, type, reason and schema version. `state`: one of theirs, `unclosed` or `all`."""
    letters = " UNION ALL ".join(LETTERS.format(schema=schema) for schema in schemas())
    return list(await db.fetch(GROUPED.format(letters=letters), *_columns_of(which, which.group), state))


async def read(db: "Connection", place: Place) -> tuple["Record", int]:
    """A letter's row, its schema among it, and how many parked letters lie behind it. Raises LetterError."""
    for schema in schemas():
        row = await db.fetchrow(
            f"SELECT *, '{schema}' AS schema_name FROM {schema}.dead_letter"
            " WHERE (group_name, topic, partition, record_offset) = ($1, $2, $3, $4)",
            *_values(place),
        )
        if row is not None:
            behind = await db.fetchval(
                f"SELECT count(*) FROM {schema}.dead_letter WHERE closed_at IS NULL AND parked"
                " AND (group_name, topic, key) = ($1, $2, $3) AND record_offset > $4",
                *(place.group, place.topic, row["key"], place.offset),
            )
            return row, behind
    raise LetterError(f"there is no letter {place}; ./pickly dead list shows what there is")


async def candidates(
    db: "Connection", which: Filter, keys: Collection[tuple[str, str, str]] = ()
) -> list[Found]:
    """Open letters that match, those parked behind them or on `keys`: (group, topic, key); oldest first."""
    place = which.place
    exact = (place.topic, place.partition, place.offset) if place else (None, None, None)
    group = place.group if place else which.group
    columns = [[key[n] for key in keys] for n in range(3)]
    found = []
    for schema in schemas():
        rows = await db.fetch(OPEN.format(schema=schema), *_columns_of(which, group), *exact, *columns)
        found += [Found(schema, _place(row), row["key"], row["appended_at"]) for row in rows]
    return sorted(found, key=lambda letter: (letter.appended_at, letter.place))


async def mark(
    db: "Connection", letters: Sequence[Found], action: str, target: str, reason: str | None = None
) -> list[Found]:
    """Mark letters for their groups and write down who did, in one transaction; returns those it marked."""
    note = f"{action} by {who()}" + (f": {reason}" if reason else "")
    states = ["open", "replay"] if action == "drop" else ["open"]
    marked = set()
    async with db.transaction():
        for schema in sorted({letter.schema for letter in letters}):
            rows = await db.fetch(
                f"UPDATE {schema}.dead_letter SET state = $5, note = $6"
                f" WHERE closed_at IS NULL AND state = ANY($7) AND {SELECTED}"
                " RETURNING group_name, topic, partition, record_offset",
                *_columns([letter.place for letter in letters if letter.schema == schema]),
                *(action, note[:2000], states),
            )
            marked |= {_place(row) for row in rows}
        await db.execute(NOTE_DOWN, who(), action, target, reason, len(marked))
    return [letter for letter in letters if letter.place in marked]


async def states(db: "Connection", letters: Collection[Found]) -> Counter[str]:
    """How many of the letters are in which state."""
    counted: Counter[str] = Counter()
    for schema in sorted({letter.schema for letter in letters}):
        rows = await db.fetch(
            f"SELECT state, count(*) FROM {schema}.dead_letter WHERE {SELECTED} GROUP BY 1",
            *_columns([letter.place for letter in letters if letter.schema == schema]),
        )
        counted.update({row["state"]: row["count"] for row in rows})
    return counted


def who() -> str:
    """The user of the operating system, and where: what the audit says."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name, as in some containers
        return f"?@{socket.gethostname()}"


def _columns_of(which: Filter, group: str | None) -> tuple[str | None, ...]:
    return group, which.type, which.reason, which.schema_version


def _values(place: Place) -> tuple[str, str, int, int]:
    return place.group, place.topic, place.partition, place.offset


def _place(row: Any) -> Place:
    return Place(row["group_name"], row["topic"], row["partition"], row["record_offset"])


def _columns(places: Sequence[Place]) -> list[list[Any]]:
    return [[_values(place)[n] for place in places] for n in range(4)]
