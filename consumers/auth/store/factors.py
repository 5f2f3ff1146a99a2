"""Second factors and recovery codes of accounts. Whoever changes them holds the lock of the account's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

import asyncpg

from consumers.auth.passkeys import Credential
from infra.runtime import Db
from schemas.factors import FactorKind, FactorListed, FactorsChanged


@dataclass(frozen=True, slots=True)
class Factor:
    """One; an authenticator app has a `secret`, encrypted, a passkey a `credential` once it is confirmed."""

    factor_id: UUID
    account_id: UUID
    kind: FactorKind
    name: str
    added_at: datetime
    confirmed_at: datetime | None = None
    secret: bytes | None = None
    last_step: int = 0
    credential: Credential | None = None

    @classmethod
    def of(cls, row: "asyncpg.Record") -> Self:
        """From its row."""
        own = {name: row[name] for name in OWN}
        if row["credential_id"] is None:
            return cls(**own)
        parts = {field: row[column] for field, column in CREDENTIAL.items()}
        return cls(**own, credential=Credential(**parts | {"transports": tuple(row["transports"])}))


OWN: Final = (
    *("factor_id", "account_id", "kind", "name", "added_at", "confirmed_at", "secret"),
    "last_step",
)
CREDENTIAL: Final = {
    "id": "credential_id",
    "public_key": "public_key",
    "sign_count": "sign_count",
    "transports": "transports",
    "backed_up": "backed_up",
    "aaguid": "aaguid",
}
"""Column by field."""
SELECT: Final = f"SELECT {', '.join((*OWN, *CREDENTIAL.values()))} FROM factor"


async def add(db: Db, new: Factor) -> None:
    """Keep a factor that nobody has used yet."""
    await db.execute(
        "INSERT INTO factor (factor_id, account_id, kind, name, added_at, secret)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(new.factor_id, new.account_id, new.kind, new.name, new.added_at, new.secret),
    )


async def one(db: Db, account_id: UUID, factor_id: UUID) -> Factor | None:
    """A factor of this account, confirmed or not."""
    row = await db.fetchrow(
        f"{SELECT} WHERE factor_id = $1 AND account_id = $2 FOR UPDATE", factor_id, account_id
    )
    return Factor.of(row) if row else None


async def confirmed(db: Db, account_id: UUID) -> Sequence[Factor]:
    """The factors that count, the oldest first."""
    rows = await db.fetch(
        f"{SELECT} WHERE account_id = $1 AND confirmed_at IS NOT NULL ORDER BY added_at, factor_id",
        account_id,
    )
    return [Factor.of(row) for row in rows]


async def by_credential(db: Db, credential_id: bytes) -> Factor | None:
    """The passkey with this credential, whoever has it."""
    row = await db.fetchrow(f"{SELECT} WHERE credential_id = $1", credential_id)
    return Factor.of(row) if row else None


async def count(db: Db, account_id: UUID) -> int:
    """How many there are, with those that are not confirmed yet."""
    number: int = await db.fetchval("SELECT count(*) FROM factor WHERE account_id = $1", account_id)
    return number


async def confirm_app(db: Db, factor_id: UUID, step: int, at: datetime) -> None:
    """An authenticator app has shown its first code."""
    await db.execute(
        "UPDATE factor SET last_step = $2, confirmed_at = $3, used_at = $3 WHERE factor_id = $1",
        *(factor_id, step, at),
    )


CONFIRM_PASSKEY: Final = """
    UPDATE factor SET credential_id = $2, public_key = $3, sign_count = $4, transports = $5, backed_up = $6,
                      aaguid = $7, confirmed_at = $8
     WHERE factor_id = $1
"""


async def confirm_passkey(db: Db, factor_id: UUID, made: Credential, at: datetime) -> None:
    """A passkey was made. Its credential is nobody's yet."""
    await db.execute(
        CONFIRM_PASSKEY,
        *(factor_id, made.id, made.public_key, made.sign_count, list(made.transports), made.backed_up),
        *(made.aaguid, at),
    )


async def use_step(db: Db, factor_id: UUID, step: int, at: datetime) -> bool:
    """Use a code up; False when one of this step or a later one has been used."""
    done = await db.execute(
        "UPDATE factor SET last_step = $2, used_at = $3 WHERE factor_id = $1 AND last_step < $2",
        *(factor_id, step, at),
    )
    return done == "UPDATE 1"


async def use_passkey(db: Db, factor_id: UUID, sign_count: int, backed_up: bool, at: datetime) -> None:
    """Keep what the passkey said of itself."""
    await db.execute(
        "UPDATE factor SET sign_count = $2, backed_up = $3, used_at = $4 WHERE factor_id = $1",
        *(factor_id, sign_count, backed_up, at),
    )


async def rename(db: Db, factor_id: UUID, name: str) -> None:
    """Give it another name."""
    await db.execute("UPDATE factor SET name = $2 WHERE factor_id = $1", factor_id, name)


async def remove(db: Db, factor_id: UUID) -> None:
    """It counts no more."""
    await db.execute("DELETE FROM factor WHERE factor_id = $1", factor_id)


async def forget_unconfirmed(db: Db, before: datetime) -> None:
    """Remove what was never confirmed."""
    await db.execute("DELETE FROM factor WHERE confirmed_at IS NULL AND added_at <= $1", before)


async def codes_left(db: Db, account_id: UUID) -> Sequence[bytes]:
    """What is kept of the recovery codes that were not used."""
    rows = await db.fetch(
        "SELECT code FROM recovery_code WHERE account_id = $1 AND used_at IS NULL ORDER BY code", account_id
    )
    return [row["code"] for row in rows]


async def replace_codes(db: Db, account_id: UUID, codes: Sequence[bytes]) -> None:
    """Keep these codes in place of all others; none is a way to have none."""
    await db.execute("DELETE FROM recovery_code WHERE account_id = $1", account_id)
    await db.executemany(
        "INSERT INTO recovery_code (account_id, code) VALUES ($1, $2)",
        [(account_id, code) for code in sorted(codes)],
    )


async def strike_code(db: Db, account_id: UUID, code: bytes, at: datetime) -> bool:
    """Use a code up; False when it was used."""
    done = await db.execute(
        "UPDATE recovery_code SET used_at = $3 WHERE account_id = $1 AND code = $2 AND used_at IS NULL",
        *(account_id, code, at),
    )
    return done == "UPDATE 1"


LISTED: Final = """
    SELECT factor_id AS id, kind, name, added_at, used_at FROM factor
     WHERE account_id = $1 AND confirmed_at IS NOT NULL ORDER BY added_at, factor_id
"""


async def changed(db: Db, account_id: UUID) -> FactorsChanged:
    """The account's list as it is now, with the next version."""
    version = await db.fetchval(
        "UPDATE account SET factors_version = factors_version + 1 WHERE account_id = $1"
        " RETURNING factors_version",
        account_id,
    )
    rows = await db.fetch(LISTED, account_id)
    return FactorsChanged(
        account_id=account_id,
        factors=tuple(FactorListed(**row) for row in rows),
        recovery_codes=len(await codes_left(db, account_id)),
        version=version,
    )
