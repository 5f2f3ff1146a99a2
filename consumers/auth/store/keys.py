"""Key pairs: to open what is sealed, and to sign access tokens."""

from dataclasses import dataclass
from datetime import datetime

from infra.runtime import Db


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair as it is kept, its private half wrapped."""

    key_id: str
    use: str
    public: str
    wrapped: bytes
    made_at: datetime


async def every(db: Db) -> list[KeyPair]:
    """All that there are, the newest first."""
    rows = await db.fetch("SELECT key_id, use, public, wrapped, made_at FROM key_pair ORDER BY made_at DESC")
    return [KeyPair(*row) for row in rows]


async def add(db: Db, pair: KeyPair) -> None:
    """Keep a new one."""
    await db.execute(
        "INSERT INTO key_pair (key_id, use, public, wrapped, made_at) VALUES ($1, $2, $3, $4, $5)",
        *(pair.key_id, pair.use, pair.public, pair.wrapped, pair.made_at),
    )


async def destroy(db: Db, use: str, before: datetime) -> list[str]:
    """Delete the pairs that had a successor before a moment; their ids."""
    rows = await db.fetch(
        "DELETE FROM key_pair k WHERE use = $1 AND EXISTS ("
        "SELECT FROM key_pair n WHERE n.use = k.use AND n.made_at > k.made_at AND n.made_at < $2)"
        " RETURNING key_id",
        use,
        before,
    )
    return sorted(row["key_id"] for row in rows)


async def one(db: Db, key_id: str) -> KeyPair | None:
    """The pair of this id, unless it was destroyed."""
    row = await db.fetchrow(
        "SELECT key_id, use, public, wrapped, made_at FROM key_pair WHERE key_id = $1", key_id
    )
    return KeyPair(*row) if row else None


async def newest(db: Db, use: str, before: datetime) -> KeyPair | None:
    """The newest made before a moment; else the oldest there is."""
    row = await db.fetchrow(
        "SELECT key_id, use, public, wrapped, made_at FROM key_pair WHERE use = $1"
        " ORDER BY (made_at <= $2) DESC, abs(extract(epoch FROM made_at - $2)) LIMIT 1",
        *(use, before),
    )
    return KeyPair(*row) if row else None
