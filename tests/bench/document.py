"""What a run of the bench says, as data: rows with a figure of ours, one to compare with, and a bar."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1


class Strict(BaseModel):
    """Nothing unknown: the document is read by programs."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(Strict):
    """A figure measured several times."""

    n: int = Field(ge=1, description="Repetitions.")
    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one value."""
        return cls(n=len(values), min=min(values), median=median(values), max=max(values))


class Bar(Strict):
    """What the ratio ours / theirs has to be; exactly one of the two is set."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, ratio: float) -> bool:
        """Whether a ratio meets it."""
        return ratio >= self.at_least if self.at_least is not None else ratio <= (self.at_most or 0.0)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g} x" if self.at_least is not None else f"≤ {self.at_most:g} x"


class Row(Strict):
    """One comparison. Ours and theirs were measured alternately in one run; the ratio is that of medians."""

    bench: str = Field(description="The NAME that measures it.")
    what: str
    against: str
    unit: str
    ours: Spread
    theirs: Spread
    ratio: float
    ratios: Spread = Field(description="Ratios of the single repetitions.")
    bar: Bar | None = Field(description="None: reported only.")
    met: bool | None
    details: dict[str, float] = Field(description="More figures by name; the unit is part of the name.")

    @classmethod
    def of(
        cls,
        bench: str,
        what: str,
        against: str,
        unit: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        bar: Bar | None = None,
        **details: float,
    ) -> Self:
        """A row of as many figures of ours as of theirs, in the order of the repetitions."""
        ratio = median(ours) / median(theirs)
        return cls(
            bench=bench,
            what=what,
            against=against,
            unit=unit,
            ours=Spread.of(ours),
            theirs=Spread.of(theirs),
            ratio=ratio,
            ratios=Spread.of([our / their for our, their in zip(ours, theirs, strict=True)]),
            bar=bar,
            met=None if bar is None else bar.holds(ratio),
            details=details,
        )


class Machine(Strict):
    """Where it was measured; `load_before` is the load average of the last 1, 5 and 15 minutes."""

    cores: int
    cpu: str
    memory_gib: float
    system: str
    python: str
    node: str
    kafka: str
    postgres: str
    load_before: tuple[float, float, float]


class Failure(Strict):
    """A benchmark that could not run."""

    bench: str
    error: str


class Document(Strict):
    """One run."""

    format: int = FORMAT
    at: datetime
    seconds: float
    quick: bool = Field(description="A smoke test: too short to say anything about speed.")
    machine: Machine
    rows: list[Row]
    failures: list[Failure]
