"""Lag for people: a table of groups, topics and partitions, then what stands still, read models, outboxes."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from aiokafka import TopicPartition
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from infra.ops.lag_model import (
    NEVER,
    Part,
    Report,
    Sum,
    next_try,
    oldest,
    processes,
    reasons,
    seconds,
    summed,
    topics_of,
)

COLUMNS: Final = (
    "records behind", "oldest waits", "position", "in Kafka", "dead", "parked keys", "stopped", "progress",
)  # fmt: skip
EFFECTS: Final = ("waiting", "oldest waits", "running", "next try", "most tries", "given up")
STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def age(of: float | None) -> str:
    """Seconds as people say them; an age that is not known is a question mark."""
    if of is None:
        return "?"
    for size, unit in STEPS:
        if of >= 2 * size:
            return f"{of / size:.0f} {unit}"
    return f"{of:.1f} s" if of else "0 s"


def screen(report: Report, *, partitions: bool = False) -> Group:
    """Everything that `./pickly lag` prints."""
    groups = _groups(report, partitions=partitions)
    return Group(
        groups, *_stopped(report), _members(report), _models(report), *_effects(report), _total(report)
    )


def _groups(report: Report, *, partitions: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)  # fits a terminal of 80 columns
    table.add_column("group, topic" + (", partition" if partitions else ""), no_wrap=True)
    for column in COLUMNS:
        table.add_column(column.replace(" ", "\n"), justify="right")
    for group, parts in report.groups():
        table.add_row(group, *_cells(summed(parts, report.at)), style="bold")
        for topic, some in topics_of(parts):
            table.add_row(f"  {topic}", *_cells(summed(some, report.at)))
            if partitions:
                for part in some:
                    table.add_row(f"    {part.partition}", *_of_part(part, report))
    return table


def _cells(total: Sum) -> Sequence[str]:
    progress = total.last_progress_seconds
    return (
        f"{total.behind:,}",
        age(total.oldest_seconds),
        f"{total.position:,}",
        "-" if total.committed is None else f"{total.committed:,}",
        f"{total.dead:,}",
        f"{total.parked_keys:,}",
        f"{total.stopped:,}",
        NEVER if progress is None else f"{age(progress)} ago",
    )


def _of_part(part: Part, report: Report) -> Sequence[str]:
    progress = seconds(part.updated_at, report.at)
    return (
        f"{part.behind:,}",
        age(oldest([part], report.at)),
        "-" if part.position is None else f"{part.position:,}",
        "-" if part.committed is None else f"{part.committed:,}",
        f"{part.dead:,}",
        f"{part.parked_keys:,}",
        "yes" if part.stopped else "",
        NEVER if progress is None else f"{age(progress)} ago",
    )


def _stopped(report: Report) -> Iterator[str]:
    for group, parts in report.groups():
        for topic, some in topics_of(parts):
            for reason, numbers in reasons(some).items():
                which = ", ".join(map(str, numbers))
                yield f"[red]stopped[/red] {group} on {topic}, partition {which}: {escape(reason)}"


def _members(report: Report) -> Table:
    table = Table("group", "state", "member", "holds")
    for group, parts in report.groups():
        membership = report.memberships[group]
        for each in membership.members:
            names = ", ".join(processes(parts, each.holds)) or f"{each.id} from {each.host}"
            table.add_row(group, membership.state, escape(names), _ranges(each.holds))
        if not membership.members:
            table.add_row(group, membership.state, "nobody", "")
    return table


def _ranges(places: Sequence[TopicPartition]) -> str:
    """`pick.events 0-3, 7; thing.events 0-11`."""
    held = []
    for topic, some in groupby(sorted(places), lambda place: place.topic):
        runs = groupby(enumerate(place.partition for place in some), lambda at: at[1] - at[0])
        ends = [[number for _, number in run] for _, run in runs]
        held.append(f"{topic} " + ", ".join(f"{e[0]}-{e[-1]}" if e[1:] else f"{e[0]}" for e in ends))
    return "; ".join(held)


def _effects(report: Report) -> Iterator[Table]:
    """Nothing where no effect waits and none was given up."""
    if not report.effects:
        return
    table = Table("group, kind of effect", *EFFECTS)
    for each in report.effects:
        table.add_row(
            f"{each.group} {each.kind}",
            f"{each.waiting:,}",
            age(seconds(each.oldest_at, report.at) if each.waiting else 0.0),
            f"{each.running:,}",
            "-" if (due := next_try(each, report.at)) is None else f"in {age(due)}" if due else "now",
            f"{each.most_attempts:,}",
            f"{each.dead:,}",
        )
    yield table


def _models(report: Report) -> Table:
    table = Table("what a user sees", "how old")
    for name, model in report.read_models().items():
        stale = "up to date" if model.oldest_seconds == 0 else f"{age(model.oldest_seconds)} behind"
        missing = f", {model.dead:,} events set aside" if model.dead else ""
        table.add_row(f"read model {name}", stale + missing)
    for each in report.outboxes:
        waits = f"{each.depth:,} events, the oldest {age(seconds(each.oldest_at, report.at))}"
        table.add_row(f"outbox of {each.schema}", waits if each.depth else "empty")
    return table


def _total(report: Report) -> str:
    total = summed(report.parts, report.at)
    outbox = sum(each.depth for each in report.outboxes)
    return (
        f"total: {total.behind:,} records behind, the oldest waits {age(total.oldest_seconds)}; "
        f"{total.dead:,} dead letters, {total.parked_keys:,} parked keys, {total.stopped:,} partitions "
        f"stopped; {outbox:,} events in outboxes"
    )
