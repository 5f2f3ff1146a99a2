"""The rows of a run as a table for people, in a terminal or in Markdown."""

from rich import box
from rich.table import Table

from tests.bench.document import Document, Row, Spread

HEADINGS = ("NAME", "what", "against", "ours", "theirs", "ratio", "bar", "met")


def table(document: Document) -> Table:
    """For a terminal."""
    made = Table(*HEADINGS, box=box.SIMPLE_HEAD, caption=caption(document), caption_justify="left")
    for row in document.rows:
        made.add_row(*cells(row))
    return made


def markdown(document: Document) -> str:
    """For docs/performance.md."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(cells(row) for row in document.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(row: Row) -> tuple[str, ...]:
    """One line; figures are median (least to most) of the repetitions."""
    return (
        row.bench,
        row.what,
        row.against,
        f"{_spread(row.ours)} {row.unit}",
        _spread(row.theirs),
        f"{row.ratio:.2f} ({row.ratios.min:.2f} to {row.ratios.max:.2f})",
        str(row.bar) if row.bar is not None else "reported",
        "" if row.met is None else "yes" if row.met else "NO",
    )


def caption(document: Document) -> str:
    """How to read it, and where it was measured."""
    machine = document.machine
    repetitions = max((row.ours.n for row in document.rows), default=0)
    quick = "A smoke test: these figures mean nothing. " if document.quick else ""
    load = ", ".join(f"{each:g}" for each in machine.load_before)
    versions = (
        f"Python {machine.python}, Node {machine.node}, Apache Kafka {machine.kafka}, "
        f"PostgreSQL {machine.postgres}"
    )
    return (
        f"{quick}Median (least to most) of {repetitions} repetitions, ours and theirs in turn. "
        f"{machine.cores} x {machine.cpu}, {machine.memory_gib:g} GiB, {machine.system}; {versions}; "
        f"load average before: {load}; {document.at:%Y-%m-%d %H:%M} UTC, {document.seconds:.0f} s."
    )


def _spread(spread: Spread) -> str:
    return f"{_figure(spread.median)} ({_figure(spread.min)} to {_figure(spread.max)})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
