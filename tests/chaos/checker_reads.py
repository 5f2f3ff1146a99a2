"""Read models against base rows: every row and every counter is computed again and must be equal."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.topics import PICK_EVENTS, REACTION_EVENTS, THING_EVENTS
from tests.chaos.checker_evidence import Evidence, Standing

Rows = Mapping[Any, Any]


def wrong_reads(evidence: Evidence) -> Iterator[str]:
    """A line for every row of a read model that does not follow from the deciders' tables."""
    read = evidence.read
    picks, reactions, things = (
        evidence.subjects[topic.name] for topic in (PICK_EVENTS, REACTION_EVENTS, THING_EVENTS)
    )
    yield from _differ(
        "read_picks.pick",
        {key: _shown(pick) for key, pick in picks.items()},
        {str(row["pick_id"]): json.loads(b"{%s}" % row["body"]) for row in read["read_picks.pick"]},
    )
    columns = ("author_id", "thing_id", "picked_at", "published_at", "deleted_at")
    yield from _differ(
        "read_picks.pick",
        {key: (pick.version, *(pick.content[name] for name in columns)) for key, pick in picks.items()},
        {
            str(row["pick_id"]): (row["version"], *(row[name] for name in columns))
            for row in read["read_picks.pick"]
        },
    )
    yield from _differ(
        "read_picks.reaction",
        {key: edge.version for key, edge in reactions.items()},
        {
            f"{row['pick_id']}/{row['account_id']}/{row['kind']}": row["version"]
            for row in read["read_picks.reaction"]
        },
    )
    yield from _differ(
        "read_picks.reaction_count",
        Counter((edge.content["pick_id"], edge.content["kind"]) for edge in reactions.values()),
        _counts((row["pick_id"], row["kind"], row["count"]) for row in read["read_picks.reaction_count"]),
    )
    yield from _wrong_things(evidence, picks, things)


def _wrong_things(
    evidence: Evidence, picks: Mapping[str, Standing], things: Mapping[str, Standing]
) -> Iterator[str]:
    read = evidence.read
    yield from _differ(
        "read_things.thing",
        {key: (thing.version, _named(thing)) for key, thing in things.items()},
        {
            str(row["thing_id"]): (row["version"], json.loads(row["body"]))
            for row in read["read_things.thing"]
        },
    )
    edges = {key: _edge(pick) for key, pick in picks.items()}
    yield from _differ(
        "read_things.pick_edge",
        edges,
        {
            str(row["pick_id"]): (row["thing_id"], row["bucket"], row["counted"], row["version"])
            for row in read["read_things.pick_edge"]
        },
    )
    yield from _differ(
        "read_things.thing_count",
        Counter((thing, bucket) for thing, bucket, counted, _ in edges.values() if counted),
        _counts((row["thing_id"], row["bucket"], row["count"]) for row in read["read_things.thing_count"]),
    )


def _differ(table: str, expected: Rows, found: Rows) -> Iterator[str]:
    for key in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(key) != found.get(key):
            yield f"{table} {key}: {found.get(key)} instead of {expected.get(key)}"


def _counts(rows: Iterator[tuple[Any, Any, int]]) -> Counter[tuple[Any, Any]]:
    """Counts summed over partitions; a count of nothing is none."""
    total: Counter[tuple[Any, Any]] = Counter()
    for first, second, count in rows:
        total[first, second] += count
    return Counter({place: count for place, count in total.items() if count})


def _edge(pick: Standing) -> tuple[Any, int, bool, int]:
    rating = pick.content["rating"]
    bucket = 0 if rating is None else round(rating * 2)
    return pick.content["thing_id"], bucket, pick.content["deleted_at"] is None, pick.version


def _named(thing: Standing) -> dict[str, str]:
    content = thing.content
    return {"id": str(content["thing_id"])} | {name: content[name] for name in ("ref", "kind", "title")}


def _shown(pick: Standing) -> dict[str, object]:
    content = pick.content
    shown: dict[str, object] = {
        "id": str(content["pick_id"]),
        "version": pick.version,
        "tags": list(content["tags"]),
        "note": content["note"],
        "rating": content["rating"],
    }
    times = ("picked_at", "published_at", "edited_at", "deleted_at")
    shown |= {name: _time(content[name]) for name in times}
    if content["deleted_at"] is None:
        del shown["deleted_at"]
    return shown


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
