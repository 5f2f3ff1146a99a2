"""A trace as text for people: ids, types, places, versions and times, never a body."""

from collections.abc import Iterator
from datetime import datetime

from infra.ops.trace_json import stamp
from infra.ops.trace_model import Event, Journey, Letter, Reader, Row, Seen, Trace, Where, where_of


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
    day = f"{journey.asked_at:%Y-%m-%d} (UTC)"
    yield f"{decision.type} {decision.command_id} about {decision.resource}, {day}"
    for at, what, texts in sorted(_steps(journey), key=lambda step: step[0] or journey.asked_at):
        yield _row(clock.tell(at), what, texts[0])
        for text in texts[1:]:
            yield _row("", "", f"  {text}")
    if decision.in_outbox:
        left = f"{decision.in_outbox} of {decision.events} events are not on their topics yet"
        yield _row("", "outbox", left)


def _steps(journey: Journey) -> Iterator[tuple[datetime | None, str, list[str]]]:
    """When, what and the lines of each; where no time is kept, None: it is told right behind the command."""
    decision = journey.decision
    place = where_of(journey.command.where) if journey.command else "its record is gone from the topic"
    yield journey.asked_at, "command", [place]
    for seen in journey.repeats:
        yield seen.at, "repeat", [f"sent again, {where_of(seen.where)}"]
    for letter in journey.letters:
        yield letter.first_at, "letter", [_letter(letter)]
    reason = f": {decision.reason}" if decision.reason else ""
    after = f", after {decision.after}" if decision.after else ""
    yield decision.decided_at, "decision", [f"{decision.status} by {decision.schema}{reason}{after}"]
    for event in journey.events:
        readers = [f"{reader.group}: {_reader(reader, event)}" for reader in event.readers]
        yield event.record.at if event.record else None, "event", [_event(event), *readers]


def _row(when: str, what: str, text: str) -> str:
    return f"  {when:>14}  {what:<8}  {text}".rstrip()


def _event(event: Event) -> str:
    if event.record is None:
        return f"{event.id}, {where_of(event.where)}: replaced by a newer state of its key, or expired"
    version = f" version {event.record.sequence}" if event.record.sequence else ""
    return f"{event.record.type}{version}, {where_of(event.where)}"


def _reader(reader: Reader, event: Event) -> str:
    return "; ".join([_progress(reader, event.where), *(_shown(row, event.record) for row in reader.rows)])


def _progress(reader: Reader, where: Where) -> str:
    if reader.position is None or reader.state in ("passed", "set aside"):
        return reader.state
    reason = f" ({reader.stopped})" if reader.stopped else ""
    return f"{reader.state}{reason}: at {reader.position}, {where[1] - reader.position + 1} to go"


def _shown(row: Row, record: Seen | None) -> str:
    if row.version is None:
        return f"no row in {row.table}"
    applied = int(record.sequence or 0) if record else row.version
    word = ", a newer one" if row.version > applied else ", an older one" if row.version < applied else ""
    return f"row in {row.table} at version {row.version}{word}"


def _letter(letter: Letter) -> str:
    why = "parked behind an earlier one of its key" if letter.parked else letter.reason
    tries = f" after {letter.attempts} tries" if letter.attempts > 1 else ""
    what = f"{letter.type or 'unknown type'} set aside by {letter.group}{tries}: {why}"
    return f"{what}; {letter.state}; {where_of(letter.where)}"
