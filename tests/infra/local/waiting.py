"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable

DEADLINE = 60.0


def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Return as soon as the condition holds; fail with `what` when it does not within a generous time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)
