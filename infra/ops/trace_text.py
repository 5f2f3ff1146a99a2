"""A trace as text for people and as JSON for programs: ids, types, places and times, never a body."""

from collections.abc import Iterator
from datetime import datetime

from infra.ops.trace_model import Event, Journey, Letter, Reader, Seen, Trace, Where, where_of

Json = dict[str, object]


class _Clock:
    """Tells the first time in full, and then how long after the step before."""

    def __init__(self) -> None:
        self._before: datetime | None = None

    def tell(self, at: datetime | None) -> str:
        if at is None:
            return ""
        before, self._before = self._before, at
        if before is None:
            return at.strftime("%H:%M:%S.%f")[:-3]
        return f"{(at - before).total_seconds():+.3f} s"


def lines(trace: Trace) -> Iterator[str]:
    """Everything that `./pickly trace` prints, one journey after the other.

    Headers may be any bytes; what a terminal would obey is shown as a question mark.
    """
    for line in _lines(trace):
        yield "".join(char if char.isprintable() else "?" for char in line)


def _lines(trace: Trace) -> Iterator[str]:
    for journey in trace.journeys:
        yield from _journey(journey)
        yield ""
    for each in trace.waiting:
        yield f"{each.type} {each.id}: not decided yet; {where_of(each.where)} since {stamp(each.at)}"
    for letter in trace.letters:
        yield f"dead letter of no decision here: {_letter(letter)}, since {stamp(letter.first_at)}"
    for note in trace.not_looked_at:
        yield f"not looked at: {note}"


def _journey(journey: Journey) -> Iterator[str]:
    decision, clock = journey.decision, _Clock()
    yield f"{decision.type} {decision.command_id} about {decision.resource}, {decision.at:%Y-%m-%d} (UTC)"
    place = where_of(journey.command.where) if journey.command else "its record is gone from the topic"
    yield _row(clock.tell(decision.at), "command", place)
    reason = f": {decision.reason}" if decision.reason else ""
    after = f", after {decision.after}" if decision.after else ""
    yield _row("", "decision", f"{decision.status} by {decision.schema}{reason}{after}")
    if decision.in_outbox:
        yield _row(
            "", "outbox", f"{decision.in_outbox} of {decision.events} events are not on their topics yet"
        )
    for event in journey.events:
        yield _row(clock.tell(event.record.at if event.record else None), "event", _event(event))
        for reader in event.readers:
            yield _row("", "", f"  {reader.group}: {_reader(reader, event.where)}")
    for letter in journey.letters:
        yield _row(clock.tell(letter.first_at), "letter", _letter(letter))


def _row(when: str, what: str, text: str) -> str:
    return f"  {when:>14}  {what:<8}  {text}".rstrip()


def _event(event: Event) -> str:
    if event.record is None:
        return f"{event.id}, {where_of(event.where)}: replaced by a newer state of its key, or expired"
    version = f" version {event.record.sequence}" if event.record.sequence else ""
    return f"{event.record.type}{version}, {where_of(event.where)}"


def _reader(reader: Reader, where: Where) -> str:
    if reader.position is None or reader.state in ("passed", "set aside"):
        return reader.state
    reason = f" ({reader.stopped})" if reader.stopped else ""
    return f"{reader.state}{reason}: at {reader.position}, {where[1] - reader.position + 1} to go"


def _letter(letter: Letter) -> str:
    why = "parked behind an earlier one of its key" if letter.parked else letter.reason
    tries = f" after {letter.attempts} tries" if letter.attempts > 1 else ""
    what = f"{letter.type or 'unknown type'} set aside by {letter.group}{tries}: {why}"
    return f"{what}; {letter.state}; {where_of(letter.where)}"


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
            "at": stamp(decision.at),
            "record": _where_json(journey.command.where) if journey.command else None,
        },
        "decision": {
            "by": decision.schema,
            "status": decision.status,
            "reason": decision.reason,
            "after": str(decision.after) if decision.after else None,
        },
        "in_outbox": decision.in_outbox,
        "events": [_event_json(each, decision.at) for each in journey.events],
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
        "seconds": (record.at - since).total_seconds() if record else None,
        "readers": [
            {"group": each.group, "state": each.state, "position": each.position, "stopped": each.stopped}
            for each in event.readers
        ],
    }


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
