"""How long a benchmark may take: enough to say something, or just enough to see that it works."""

from dataclasses import dataclass
from typing import Protocol

from infra.settings import Settings
from tests.bench.document import Row


@dataclass(frozen=True)
class Effort:
    """`quick` is a smoke test: its figures mean nothing."""

    quick: bool = False

    @property
    def repetitions(self) -> int:
        """How often each side is measured, alternately."""
        return 1 if self.quick else 3

    @property
    def seconds(self) -> float:
        """How long one measurement under load lasts."""
        return 1.0 if self.quick else 5.0

    def of(self, full: int) -> int:
        """So many messages or rows, a tenth of it for a smoke test."""
        return full // 10 if self.quick else full


class Bench(Protocol):
    """A benchmark: fills what it needs on the servers of `config`, measures, cleans up."""

    async def __call__(self, config: Settings, effort: Effort) -> list[Row]:
        """The rows; raises when it could not measure."""
