"""Challenges: what goes on when a factor is proven."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from infra.partitions import partition_of
from infra.runtime import Db
from schemas.topics import AUTH_COMMANDS

ChallengeKind = Literal["sign_in", "step_up", "add_passkey"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One; `random` is what a passkey is to sign, `password_version` which password was right before."""

    challenge_id: UUID
    kind: ChallengeKind
    random: bytes
    expires_at: datetime
    account_id: UUID | None = None
    session_id: UUID | None = None
    device: str = ""
    password_version: int | None = None


COLUMNS: Final = "challenge_id, kind, random, expires_at, account_id, session_id, device, password_version"


async def add(db: Db, new: Challenge) -> None:
    """Keep it until it is answered or expires."""
    await db.execute(
        f"INSERT INTO challenge ({COLUMNS}, partition) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(new.challenge_id, new.kind, new.random, new.expires_at, new.account_id, new.session_id),
        *(new.device, new.password_version, partition_of(str(new.challenge_id), AUTH_COMMANDS)),
    )


async def look(db: Db, challenge_id: UUID, kind: ChallengeKind, at: datetime) -> Challenge | None:
    """A challenge of this kind that may be answered still."""
    return await _one(db, challenge_id, kind, at, "")


async def get(db: Db, challenge_id: UUID, kind: ChallengeKind, at: datetime) -> Challenge | None:
    """The same, locked until the end of the transaction."""
    return await _one(db, challenge_id, kind, at, "FOR UPDATE")


async def _one(db: Db, challenge_id: UUID, kind: ChallengeKind, at: datetime, lock: str) -> Challenge | None:
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM challenge WHERE challenge_id = $1 AND kind = $2 AND expires_at > $3 {lock}",
        *(challenge_id, kind, at),
    )
    return Challenge(*row) if row else None


async def remove(db: Db, challenge_id: UUID) -> None:
    """It was answered."""
    await db.execute("DELETE FROM challenge WHERE challenge_id = $1", challenge_id)


async def forget_expired(db: Db, partition: int, at: datetime) -> None:
    """Remove what nobody answered in time on this partition, at most 1,000."""
    await db.execute(
        "DELETE FROM challenge WHERE challenge_id IN (SELECT challenge_id FROM challenge"
        " WHERE partition = $1 AND expires_at <= $2 LIMIT 1000)",
        *(partition, at),
    )
