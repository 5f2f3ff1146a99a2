"""Guess counters: raised atomically before each check, so that parallel guesses cannot beat them.

They are raised outside the transaction that decides: counting twice after a repeat is allowed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consumers.auth import vault
from infra.runtime import Db

FORGOTTEN: Final = timedelta(hours=24)
FIRST_PAUSE: Final = 30.0
LONGEST_PAUSE: Final = 900.0
"""Seconds. Guessing gets slower and slower; nobody is locked out for good."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What is guessed at, by its keyed hash, and how many guesses are free before each costs a pause."""

    what: bytes
    free: int

    @classmethod
    def at(cls, kind: str, value: str, free: int) -> "Guess":
        """`kind` names the counter, `value` is what it counts for."""
        return cls(vault.lookup(f"guess/{kind}", value), free)


# Commands of the same moment arrive in any order: what is free is so whatever its time.
COUNT: Final = """
    INSERT INTO guess AS g (what, failures, at, next_at) VALUES ($1, 1, $2, '-infinity')
    ON CONFLICT (what) DO UPDATE
       SET failures = CASE WHEN g.at < $2 - $6::interval THEN 1 ELSE g.failures + 1 END,
           at = greatest(g.at, $2),
           next_at = CASE WHEN g.at < $2 - $6::interval OR g.failures + 1 < $3 THEN '-infinity'
                          ELSE $2 + least($5, $4 * 2 ^ least(g.failures + 1 - $3, 20)) * interval '1 s' END
     WHERE g.next_at <= $2
    RETURNING true
"""


async def admit(db: Db, guesses: Sequence[Guess], at: datetime) -> bool:
    """Count one guess at each; False, as soon as one of them has to pause."""
    for guess in guesses:
        arguments = (guess.what, at, guess.free, FIRST_PAUSE, LONGEST_PAUSE, FORGOTTEN)
        if not await db.fetchval(COUNT, *arguments):
            return False
    return True


async def forgive(db: Db, guesses: Iterable[Guess]) -> None:
    """It was right: what was counted before was its owner."""
    await db.execute("DELETE FROM guess WHERE what = ANY($1)", sorted(guess.what for guess in guesses))


async def uncount(db: Db, guess: Guess) -> None:
    """It was right, and the counter is shared with others: take this one back, and the pause that it cost."""
    await db.execute(
        "UPDATE guess SET failures = failures - 1, next_at = '-infinity' WHERE what = $1", guess.what
    )


async def forget(db: Db, at: datetime) -> None:
    """Remove counters that mean nothing any more."""
    await db.execute("DELETE FROM guess WHERE at < $1 AND next_at < $1", at - FORGOTTEN)
