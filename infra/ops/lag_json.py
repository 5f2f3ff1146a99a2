"""Lag for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby

from infra.ops.lag_kafka import Membership
from infra.ops.lag_model import Part, Report, next_try, oldest, processes, seconds, summed, topics_of
from infra.roles import READ_PREFIX

Json = dict[str, object]


def as_json(report: Report) -> Json:
    """The stable form; `docs/runbooks/lag-and-trace.md` describes it. Fields are added, never changed."""
    return {
        "at": report.at.isoformat().replace("+00:00", "Z"),
        "groups": [_group(group, parts, report) for group, parts in report.groups()],
        "read_models": [
            {"name": name, "stale_seconds": model.oldest_seconds, "dead": model.dead}
            for name, model in report.read_models().items()
        ],
        "outboxes": [
            {
                "schema": each.schema,
                "depth": each.depth,
                "oldest_seconds": seconds(each.oldest_at, report.at) or 0.0,
            }
            for each in report.outboxes
        ],
        "effects": [
            {
                "group": each.group,
                "kind": each.kind,
                "waiting": each.waiting,
                "running": each.running,
                "dead": each.dead,
                "oldest_seconds": seconds(each.oldest_at, report.at) if each.waiting else 0.0,
                "next_try_seconds": next_try(each, report.at),
                "most_attempts": each.most_attempts,
            }
            for each in report.effects
        ],
        "total": _sum(report.parts, report.at) | {"outbox": sum(each.depth for each in report.outboxes)},
    }


def _sum(parts: Sequence[Part], now: datetime) -> Json:
    return asdict(summed(parts, now))


def _group(group: str, parts: Sequence[Part], report: Report) -> Json:
    now = report.at
    kind = "projection" if group.startswith(READ_PREFIX) else "decider"
    topics = [
        {"topic": topic, **_sum(some, now), "partitions": [_part(part, now) for part in some]}
        for topic, some in topics_of(parts)
    ]
    members = _membership(report.memberships[group], parts)
    return {"group": group, "kind": kind, **_sum(parts, now), "membership": members, "topics": topics}


def _membership(group: Membership, parts: Sequence[Part]) -> Json:
    members = [
        {
            "id": each.id,
            "host": each.host,
            "holds": {
                topic: [place.partition for place in places]
                for topic, places in groupby(each.holds, lambda place: place.topic)
            },
            "processes": processes(parts, each.holds),
        }
        for each in group.members
    ]
    return {"state": group.state, "members": members}


def _part(part: Part, now: datetime) -> Json:
    return {
        "partition": part.partition,
        "start": part.start,
        "end": part.end,
        "position": part.position,
        "committed": part.committed,
        "behind": part.behind,
        "oldest_seconds": oldest([part], now),
        "skipped": part.skipped,
        "stopped": part.stopped,
        "last_progress_seconds": seconds(part.updated_at, now),
        "dead": part.dead,
        "parked_keys": part.parked_keys,
        "owner": part.owner or None,
    }
