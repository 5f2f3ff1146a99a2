"""Proofs: what was sent to somebody's address and is good for one use."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from infra.partitions import partition_of
from infra.runtime import Db
from schemas.topics import AUTH_COMMANDS

ProofKind = Literal["reset", "email"]


@dataclass(frozen=True, slots=True)
class Proof:
    """One. `email_hash` and `email` are those of the address that an account is to have."""

    account_id: UUID
    kind: ProofKind
    digest: bytes
    place: str
    asked_at: datetime
    expires_at: datetime
    email_hash: bytes | None = None
    email: bytes | None = None
    noted: bool = False


def digest(secret: bytes) -> bytes:
    """What is kept of a secret of 32 random bytes: no salt and no slow hash, nobody guesses those."""
    return hashlib.sha256(secret).digest()


COLUMNS: Final = "account_id, kind, digest, place, asked_at, expires_at, email_hash, email, noted"
KEEP: Final = f"""
    INSERT INTO proof ({COLUMNS}, partition) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (account_id, kind) DO UPDATE
       SET digest = excluded.digest, place = excluded.place, asked_at = excluded.asked_at,
           expires_at = excluded.expires_at, email_hash = excluded.email_hash, email = excluded.email,
           noted = excluded.noted
"""


async def keep(db: Db, new: Proof) -> None:
    """Keep it; the one of the same kind before is worth nothing any more."""
    await db.execute(
        KEEP,
        *(new.account_id, new.kind, new.digest, new.place, new.asked_at, new.expires_at),
        *(new.email_hash, new.email, new.noted, partition_of(str(new.account_id), AUTH_COMMANDS)),
    )


GET: Final = f"""
    SELECT {COLUMNS} FROM proof
     WHERE account_id = $1 AND kind = $2 AND digest = $3 AND expires_at > $4
"""


async def get(db: Db, account_id: UUID, kind: ProofKind, secret: bytes, at: datetime) -> Proof | None:
    """The proof that this secret is, if it is good now."""
    row = await db.fetchrow(GET, account_id, kind, digest(secret), at)
    return Proof(*row) if row else None


async def take(db: Db, account_id: UUID, kind: ProofKind, secret: bytes, at: datetime) -> Proof | None:
    """The same, and it is used now."""
    found = await get(db, account_id, kind, secret, at)
    if found is None:
        return None
    done = await db.execute(
        "DELETE FROM proof WHERE account_id = $1 AND kind = $2 AND digest = $3",
        *(account_id, kind, found.digest),
    )
    return found if done == "DELETE 1" else None


async def forget(db: Db, account_id: UUID) -> None:
    """Nothing that was sent to this account is good any more."""
    await db.execute("DELETE FROM proof WHERE account_id = $1", account_id)


NOTE: Final = f"""
    UPDATE proof SET noted = true
     WHERE (account_id, kind) IN (SELECT account_id, kind FROM proof JOIN account USING (account_id)
                                   WHERE proof.partition = $1 AND NOT noted LIMIT 1000)
    RETURNING {COLUMNS}
"""


async def to_note(db: Db, partition: int) -> Sequence[Proof]:
    """What was asked for on this partition and is in no security log yet, at most 1,000; now it is."""
    return sorted((Proof(*row) for row in await db.fetch(NOTE, partition)), key=lambda one: one.account_id)


async def forget_expired(db: Db, partition: int, at: datetime) -> None:
    """Remove what nobody used in time on this partition."""
    await db.execute("DELETE FROM proof WHERE partition = $1 AND expires_at <= $2", partition, at)
