"""How far a long piece of work is: a bar with rate and time left on a terminal, elsewhere a line at times."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)


class Phase:
    """One piece of work of `total` steps; `note` is a word on how it goes, shown behind the figures."""

    def __init__(self, console: Console, text: str, total: int, bar: Progress | None) -> None:
        self.done = 0
        self.note = ""
        self._console = console
        self._text = text
        self._total = total
        self._bar = bar
        self._task: TaskID | None = bar.add_task(text, total=total, rate="", note="") if bar else None
        self._began = self._shown = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Count steps; draws at most four times a second, writes a line at most every five seconds."""
        self.done += steps
        if time.monotonic() - self._shown >= (0.25 if self._bar else 5.0):
            self.show()

    def show(self) -> None:
        """Draw or write how far it is."""
        self._shown = time.monotonic()
        rate = self.done / max(self._shown - self._began, 0.001)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, rate=f"{rate:,.0f}/s", note=self.note)
            return
        is_telling = self._total / 50 <= self.done < self._total  # too early, a guess would be wild
        left = f", {(self._total - self.done) / rate:,.0f} s left" if is_telling else ""
        note = f" ({self.note})" if self.note else ""
        self._console.print(f"{self._text}: {self.done:,} of {self._total:,}, {rate:,.0f}/s{left}{note}")


@contextmanager
def phase(console: Console, text: str, total: int) -> Iterator[Phase]:
    """Show a phase for as long as the block runs; one without steps is not shown."""
    if not console.is_terminal or not total:
        plain = Phase(console, text, total, None)
        yield plain
        if total:
            plain.show()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as bar:
        drawn = Phase(console, text, total, bar)
        yield drawn
        drawn.show()
