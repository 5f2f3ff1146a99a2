"""What one run of `seed` did, in counts."""

from dataclasses import dataclass, field


@dataclass
class Tally:
    """`there` were picks before; `repeated` were accepted when sent again; `retried` are the extra requests.

    `refused` and `invisible` hold a line for each rating that is not a visible pick in the end, and why.
    """

    there: int = 0
    accepted: int = 0
    repeated: int = 0
    retried: int = 0
    seconds: float = 0.0
    refused: list[str] = field(default_factory=list)
    invisible: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every rating is now a visible pick."""
        return not (self.refused or self.invisible)

    def __str__(self) -> str:
        rate = f" in {self.seconds:,.1f} s ({self.accepted / self.seconds:,.0f}/s)" if self.seconds else ""
        return (
            f"accepted {self.accepted:,}{rate}, already there {self.there:,}, repeated {self.repeated:,}, "
            f"retried {self.retried:,}, refused {len(self.refused):,}, not visible {len(self.invisible):,}"
        )
