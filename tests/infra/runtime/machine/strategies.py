"""What a state machine draws: commands that people wish for, and which member reads how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from tests.infra.runtime.machine.contract import BLOT, BUG

KEYS: Final = ("a", "b", "c")
DROP, GARBLED, AGAIN = "drop it", "no JSON", "an earlier one, at another offset"
VALUES: Final = ("1", "2", "3", DROP, DROP, "effect", "no", "same", BUG, BLOT, GARBLED, AGAIN, AGAIN)

Wishes = Sequence[tuple[str, str]]
Counts = Sequence[int]
"""Of each partition of a team, in order: how many records a poll holds."""


@dataclass(frozen=True)
class Work:
    """Commands that arrive, and then the poll of a member."""

    wanted: Wishes
    team: str
    member: int
    counts: Counts
    sent_twice: bool
    """Whether the relay dies after it has sent the events, and sends them again."""


keys = st.sampled_from(KEYS)
wishes = st.lists(st.tuples(keys, st.sampled_from(VALUES)), min_size=1, max_size=6)
members = st.integers(0, 1)
teams = st.sampled_from(("deciding", "projecting"))
counts = st.lists(st.sampled_from((0, 1, 1, 1, 1, 3)), min_size=6, max_size=6)
works = st.builds(Work, wishes, teams, members, counts, st.booleans())
steps = st.integers(1, 20)
