"""Where an account's mail goes: its address, encrypted, and the key that opens it."""

from dataclasses import dataclass
from uuid import UUID

from infra.runtime import Db


@dataclass(frozen=True, slots=True)
class Contact:
    """`email` is encrypted under the data key that is `wrapped`."""

    account_id: UUID
    handle: str
    display_name: str
    wrapped: bytes
    email: bytes


async def get(db: Db, account_id: UUID) -> Contact | None:
    """None without an account, without an address, or when the data key is erased."""
    row = await db.fetchrow(
        "SELECT account_id, handle, display_name, wrapped, email FROM account"
        "  JOIN data_key USING (account_id) WHERE account_id = $1 AND email IS NOT NULL",
        account_id,
    )
    return Contact(*row) if row else None


async def change(db: Db, account_id: UUID, email_hash: bytes, email: bytes) -> None:
    """Mail goes there from now on. The address must be nobody else's."""
    await db.execute(
        "UPDATE account SET email_hash = $2, email = $3 WHERE account_id = $1",
        *(account_id, email_hash, email),
    )
