"""How progress looks on a terminal and elsewhere."""

from io import StringIO

import pytest
from rich.console import Console

from clients.movielens.progress import phase


def a_console(*, terminal: bool) -> tuple[Console, StringIO]:
    """A console and what it shows."""
    shown = StringIO()
    return Console(file=shown, force_terminal=terminal, width=120), shown


def test_a_terminal_shows_a_bar_with_rate_time_left_and_a_note() -> None:
    console, shown = a_console(terminal=True)

    with phase(console, "Publishing", 40) as publishing:
        publishing.note = "3 retried"
        publishing.advance(10)
        publishing.show()

    text = shown.getvalue()
    for part in ("Publishing", "━", "10/40", "/s", "3 retried"):
        assert part in text


def test_elsewhere_it_is_lines_with_the_same_figures() -> None:
    console, shown = a_console(terminal=False)

    with phase(console, "Publishing", 40) as publishing:
        publishing.note = "3 retried"
        publishing.advance(10)
        publishing.show()
        publishing.advance(30)

    first, last = shown.getvalue().splitlines()
    assert first.startswith("Publishing: 10 of 40, ")
    assert first.endswith(" s left (3 retried)")
    assert last.startswith("Publishing: 40 of 40, ")
    assert "left" not in last


@pytest.mark.parametrize("terminal", [True, False])
def test_work_without_steps_is_not_shown(terminal: bool) -> None:
    console, shown = a_console(terminal=terminal)

    with phase(console, "Publishing", 0):
        pass

    assert shown.getvalue() == ""
