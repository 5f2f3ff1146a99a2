"""Registrations: accounts to be, until their e-mail address is proven."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from infra.partitions import partition_of
from infra.runtime import Db
from schemas.topics import AUTH_COMMANDS


@dataclass(frozen=True, slots=True)
class Registration:
    """One; `proof` is the SHA-256 of what was sent, None when the address has an account already."""

    account_id: UUID
    handle: str
    skeleton: str
    email_hash: bytes
    email: bytes
    password: str
    password_length: int
    proof: bytes | None
    expires_at: datetime


COLUMNS = (
    "account_id, handle, skeleton, email_hash, email, password, password_length, proof, expires_at, partition"
)


async def add(db: Db, new: Registration) -> None:
    """Keep it until it is confirmed or expires."""
    await db.execute(
        f"INSERT INTO registration ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *(new.account_id, new.handle, new.skeleton, new.email_hash, new.email, new.password),
        *(new.password_length, new.proof, new.expires_at),
        partition_of(str(new.account_id), AUTH_COMMANDS),
    )


async def get(db: Db, account_id: UUID) -> Registration | None:
    """The registration, locked until the end of the transaction."""
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM registration WHERE account_id = $1 FOR UPDATE", account_id
    )
    return Registration(*row[:-1]) if row else None


RENEW = f"""
    UPDATE registration SET proof = $2
     WHERE account_id = (SELECT account_id FROM registration
                          WHERE email_hash = $1 AND proof IS NOT NULL AND expires_at > $3
                          ORDER BY expires_at DESC, account_id LIMIT 1)
    RETURNING {COLUMNS}
"""


async def renew(db: Db, email_hash: bytes, proof: bytes, at: datetime) -> Registration | None:
    """Give the newest one that waits for this address to be proven another proof."""
    row = await db.fetchrow(RENEW, email_hash, proof, at)
    return Registration(*row[:-1]) if row else None


async def remove(db: Db, account_id: UUID) -> None:
    """It became an account."""
    await db.execute("DELETE FROM registration WHERE account_id = $1", account_id)


async def take_expired(db: Db, partition: int, at: datetime) -> Sequence[UUID]:
    """Remove what nobody confirmed in time on this partition, at most 1,000; their ids."""
    rows = await db.fetch(
        "DELETE FROM registration WHERE account_id IN (SELECT account_id FROM registration"
        " WHERE partition = $1 AND expires_at <= $2 LIMIT 1000) RETURNING account_id",
        *(partition, at),
    )
    return sorted(row["account_id"] for row in rows)
