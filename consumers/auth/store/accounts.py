"""Accounts and their credentials."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from infra.partitions import partition_of
from infra.runtime import Db
from schemas.accounts import AccountState
from schemas.topics import AUTH_COMMANDS

A = TypeVar("A", bound=AccountState)
STATE: Final = (
    "account_id, handle, display_name, bio, links, language, time_zone, roles, standing, opened_at,"
    " handle_changed_at, former_handles, roles_changed_at, version, due_at AS deletion_due_at"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is checked against; `password` is a stored hash, None without one."""

    account_id: UUID
    handle: str
    password: str | None
    password_version: int
    password_length: int


@dataclass(frozen=True, slots=True)
class Held:
    """An account as it stands, locked; `version` of the password tells whether it was changed meanwhile."""

    account: AccountState
    password_version: int
    changed_by: UUID


CREDENTIALS: Final = "SELECT account_id, handle, password, password_version, password_length FROM account"


async def by_handle(db: Db, handle: str) -> Credentials | None:
    """The credentials of who has this handle now."""
    row = await db.fetchrow(f"{CREDENTIALS} WHERE handle = $1", handle)
    return Credentials(*row) if row else None


async def by_email(db: Db, email_hash: bytes) -> Credentials | None:
    """The credentials of who has the address with this keyed hash."""
    row = await db.fetchrow(f"{CREDENTIALS} WHERE email_hash = $1", email_hash)
    return Credentials(*row) if row else None


async def credentials(db: Db, account_id: UUID) -> Credentials | None:
    """The credentials of an account."""
    row = await db.fetchrow(f"{CREDENTIALS} WHERE account_id = $1", account_id)
    return Credentials(*row) if row else None


async def get(db: Db, account_id: UUID) -> Held | None:
    """The account, locked until the end of the transaction."""
    row = await db.fetchrow(
        f"SELECT {STATE}, password_version, changed_by FROM account WHERE account_id = $1 FOR UPDATE",
        account_id,
    )
    if row is None:
        return None
    fields = dict(row)
    password_version, changed_by = fields.pop("password_version"), fields.pop("changed_by")
    return Held(_state(fields), password_version, changed_by)


async def seen(db: Db, account_id: UUID) -> AccountState | None:
    """The account as it was last committed; not locked, so that two accounts never wait for each other."""
    row = await db.fetchrow(f"SELECT {STATE} FROM account WHERE account_id = $1", account_id)
    return _state(dict(row)) if row else None


def _state(fields: dict[str, Any]) -> AccountState:
    fields["former_handles"] = orjson.loads(fields["former_handles"])
    return AccountState.model_validate(fields)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an account begins with and nobody may know: both encrypted or hashed already."""

    email_hash: bytes
    email: bytes
    password: str
    password_length: int


ADD: Final = """
    INSERT INTO account (account_id, handle, display_name, bio, links, language, time_zone, roles, standing,
                         opened_at, version, changed_by, partition, email_hash, email, password,
                         password_length)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT DO NOTHING
"""


async def add(db: Db, account: AccountState, secrets: Secrets, changed_by: UUID) -> bool:
    """Begin an account; False when its handle or its address belongs to another one."""
    done = await db.execute(
        ADD,
        account.account_id,
        account.handle,
        account.display_name,
        account.bio,
        account.links,
        account.language,
        account.time_zone,
        account.roles,
        account.standing,
        account.opened_at,
        account.version,
        changed_by,
        partition_of(account.key, AUTH_COMMANDS),
        secrets.email_hash,
        secrets.email,
        secrets.password,
        secrets.password_length,
    )
    return done == "INSERT 0 1"


SAVE: Final = """
    UPDATE account
       SET handle = $2, display_name = $3, bio = $4, links = $5, language = $6, time_zone = $7, roles = $8,
           standing = $9, handle_changed_at = $10, roles_changed_at = $11, version = $12, changed_by = $13,
           former_handles = $14, due_at = $15
     WHERE account_id = $1
"""


async def save(db: Db, account: AccountState, changed_by: UUID) -> None:
    """Keep the new state of an account that is there."""
    await db.execute(
        SAVE,
        account.account_id,
        account.handle,
        account.display_name,
        account.bio,
        account.links,
        account.language,
        account.time_zone,
        account.roles,
        account.standing,
        account.handle_changed_at,
        account.roles_changed_at,
        account.version,
        changed_by,
        orjson.dumps([former.model_dump() for former in account.former_handles]).decode(),
        account.deletion_due_at,
    )


async def change(db: Db, account: AccountState, kind: type[A], changed_by: UUID, **fields: object) -> A:
    """Keep the account's next state, a `kind` that differs in `fields`."""
    state = kind.model_validate(account.model_dump() | {"version": account.version + 1} | fields)
    await save(db, state, changed_by)
    return state


async def set_password(db: Db, account_id: UUID, password: str, length: int) -> None:
    """Keep another password; whoever checked the one before must check again."""
    await db.execute(
        "UPDATE account SET password = $2, password_length = $3, password_version = password_version + 1"
        " WHERE account_id = $1",
        *(account_id, password, length),
    )


async def rehash(db: Db, account_id: UUID, password: str) -> None:
    """Keep the same password under newer parameters."""
    await db.execute("UPDATE account SET password = $2 WHERE account_id = $1", account_id, password)


async def data_key(db: Db, account_id: UUID) -> bytes | None:
    """The wrapped data key of an account or a registration, None when it was erased."""
    wrapped: bytes | None = await db.fetchval(
        "SELECT wrapped FROM data_key WHERE account_id = $1", account_id
    )
    return wrapped


async def keep_data_key(db: Db, account_id: UUID, wrapped: bytes) -> None:
    """Keep a new account's data key."""
    await db.execute("INSERT INTO data_key (account_id, wrapped) VALUES ($1, $2)", account_id, wrapped)


async def forget_data_keys(db: Db, account_ids: Sequence[UUID]) -> None:
    """Make what was encrypted for these accounts unreadable."""
    await db.execute("DELETE FROM data_key WHERE account_id = ANY($1)", account_ids)


CLAIM: Final = """
    INSERT INTO handle_claim (skeleton, handle, account_id, until) VALUES ($1, $2, $3, $4)
    ON CONFLICT (skeleton) DO UPDATE
       SET handle = excluded.handle, account_id = excluded.account_id, until = excluded.until
     WHERE handle_claim.account_id = excluded.account_id OR handle_claim.until <= $5
"""


async def claim_handle(
    db: Db, skeleton: str, handle: str, account_id: UUID, until: datetime | None, at: datetime
) -> bool:
    """Take a handle, for good (`until` None) or until then; False when somebody else has it."""
    return await db.execute(CLAIM, skeleton, handle, account_id, until, at) == "INSERT 0 1"


async def release_handle(db: Db, skeleton: str, until: datetime) -> None:
    """Its owner has another one; until then nobody else gets it."""
    await db.execute("UPDATE handle_claim SET until = $2 WHERE skeleton = $1", skeleton, until)
