"""The ledger: what was sent and what the sender was told, one line an attempt, written while it happens.

A client's word has three values, as in Jepsen's histories: acked, refused, unknown.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

Via = Literal["http", "topic"]
Outcome = Literal["acked", "refused", "unknown"]


@dataclass(frozen=True)
class Attempt:
    """One sending of one command; a retry is another attempt with the same id, and acked once is acked.

    `seq` counts the commands of a key as they were sent. `body_hash` is the SHA-256, in hex, of the record's
    value (via topic) or of the request's body (via http). `at` is in Unix seconds. `refused` means at the
    door: nothing may be on a topic. `poison` is the reason that its dead letter must have. `detail` is free
    text, but of poison whose `ce_id` cannot be read it is the place of the record, `topic/partition/offset`.
    """

    id: UUID
    key: str
    seq: int
    type: str
    topic: str
    body_hash: str
    via: Via
    at: float
    outcome: Outcome
    poison: str = ""
    detail: str = ""


class Ledger:
    """An append-only file of JSON lines. A line is out of our hands before `record` returns, so that it
    outlives a SIGKILL of the sender."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def record(self, attempt: Attempt) -> None:
        """Write the attempt down."""
        self._file.write(json.dumps(asdict(attempt) | {"id": str(attempt.id)}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """No more will be written."""
        self._file.close()


def read(path: Path) -> list[Attempt]:
    """The attempts in the order in which they were recorded; half a line at the end was never recorded."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    rows = (json.loads(line) for line in lines)
    return [Attempt(**row | {"id": UUID(row["id"])}) for row in rows]
