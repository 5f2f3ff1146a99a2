"""A trace as JSON for programs: ids, types, places, versions and times, never a body."""

from datetime import datetime

from infra.ops.trace_model import Event, Journey, Letter, Seen, Trace, Where

Json = dict[str, object]


def stamp(at: datetime) -> str:
    """RFC 3339."""
    return at.isoformat().replace("+00:00", "Z")


def as_json(trace: Trace) -> Json:
    """The stable form; `docs/runbooks/lag-and-trace.md` describes it. Fields are added, never changed."""
    return {
        "asked": trace.asked,
        "journeys": [_journey_json(each) for each in trace.journeys],
        "waiting": [_seen_json(each) for each in trace.waiting],
        "letters": [_letter_json(each) for each in trace.letters],
        "not_looked_at": list(trace.not_looked_at),
    }


def _journey_json(journey: Journey) -> Json:
    decision = journey.decision
    return {
        "command": {
            "id": str(decision.command_id),
            "type": decision.type,
            "resource": decision.resource,
            "at": stamp(journey.asked_at),
            "record": _where_json(journey.command.where) if journey.command else None,
            "repeats": [{**_where_json(each.where), "at": stamp(each.at)} for each in journey.repeats],
        },
        "decision": {
            "by": decision.schema,
            "at": stamp(decision.decided_at) if decision.decided_at else None,
            "seconds": _seconds(decision.decided_at, journey.asked_at),
            "status": decision.status,
            "reason": decision.reason,
            "after": str(decision.after) if decision.after else None,
        },
        "in_outbox": decision.in_outbox,
        "events": [_event_json(each, journey.asked_at) for each in journey.events],
        "letters": [_letter_json(each) for each in journey.letters],
    }


def _event_json(event: Event, since: datetime) -> Json:
    record = event.record
    return {
        "id": str(event.id),
        **_where_json(event.where),
        "type": record.type if record else None,
        "sequence": record.sequence if record else None,
        "at": stamp(record.at) if record else None,
        "seconds": _seconds(record.at if record else None, since),
        "readers": [
            {
                "group": each.group,
                "state": each.state,
                "position": each.position,
                "stopped": each.stopped,
                "rows": [{"table": row.table, "version": row.version} for row in each.rows],
            }
            for each in event.readers
        ],
    }


def _seconds(at: datetime | None, since: datetime) -> float | None:
    return None if at is None else (at - since).total_seconds()


def _seen_json(seen: Seen) -> Json:
    return {"id": seen.id, "type": seen.type, "at": stamp(seen.at), **_where_json(seen.where)}


def _letter_json(letter: Letter) -> Json:
    return {
        "group": letter.group,
        **_where_json(letter.where),
        "id": str(letter.message_id) if letter.message_id else None,
        "type": letter.type,
        "reason": letter.reason,
        "state": letter.state,
        "parked": letter.parked,
        "attempts": letter.attempts,
        "first_at": stamp(letter.first_at),
        "closed_at": stamp(letter.closed_at) if letter.closed_at else None,
    }


def _where_json(where: Where) -> Json:
    place, offset = where
    return {"topic": place.topic, "partition": place.partition, "offset": offset}
