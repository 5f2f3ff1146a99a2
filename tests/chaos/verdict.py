"""What the judge found: how often each promise was broken, and examples."""

from dataclasses import asdict, dataclass, field

SHOWN = 20
"""Examples that are kept of each kind; the counts count all."""
WRONGS = (
    "lost", "doubled", "out_of_order", "dead_wrong",
    "events_missing", "events_extra", "tail_wrong", "answer_wrong",
)  # fmt: skip


@dataclass
class Verdict:
    """Counts, each but `dead` and `dead_expected` a number of broken promises.

    `lost`: commands without a record, decision or effect. `doubled`: keys on which one command had two
    effects. `out_of_order`: keys whose commands came, were decided or changed the state otherwise than in the
    order of the log. `dead`: letters there are; `dead_expected`: letters that should be; `dead_wrong`:
    letters that are missing, too many, or give another reason. `events_missing`, `events_extra`: records on
    state topics against what the decisions caused. `tail_wrong`: keys whose newest record is not the table's
    state. `answer_wrong`: decisions, read models and answers that do not tell the truth.
    """

    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    dead: int = 0
    dead_expected: int = 0
    dead_wrong: int = 0
    events_missing: int = 0
    events_extra: int = 0
    tail_wrong: int = 0
    answer_wrong: int = 0
    samples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, wrong: str, example: str) -> None:
        """One more broken promise of a kind in WRONGS."""
        setattr(self, wrong, getattr(self, wrong) + 1)
        shown = self.samples.setdefault(wrong, [])
        if len(shown) < SHOWN:
            shown.append(example)

    @property
    def wrongs(self) -> dict[str, int]:
        """The kinds that are not zero."""
        return {wrong: count for wrong, count in asdict(self).items() if wrong in WRONGS and count}
