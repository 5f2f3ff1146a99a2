"""Accounts by id and by handle: `read_accounts` holds ready JSON, one for everybody and one for the owner."""

from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson

from gateway.reads.database import Database
from gateway.reads.represent import Representation, subject
from schemas import ids
from schemas.roles import role_of

if TYPE_CHECKING:
    from asyncpg import Record

SHOWN: Final = ("read_accounts",)
COLUMNS: Final = "SELECT account_id, handle, standing, roles, version, body, own FROM read_accounts.account"
BY_ID: Final = f"{COLUMNS} WHERE account_id = $1"
BY_HANDLE: Final = f"""
{COLUMNS} WHERE handle = $1 OR (former ? $1 AND (former ->> $1)::timestamptz > now())
 ORDER BY handle = $1 DESC LIMIT 1
"""


async def one(database: Database, account_id: UUID, viewer: UUID | None) -> Representation | None:
    """An account as `viewer` may see it, None when there is none or its owner has put it away."""
    return shown(await find(database, account_id), viewer)


async def find(database: Database, name: UUID | str) -> "Record | None":
    """The row of an id, or of who has this handle now, or had it less than a year ago."""
    return await database.fetchrow(BY_ID if isinstance(name, UUID) else BY_HANDLE, name)


def shown(row: "Record | None", viewer: UUID | None) -> Representation | None:
    """Its owner sees all of it; a deactivated account is nobody else's to see."""
    if row is None:
        return None
    if row["account_id"] == viewer:
        return subject(row["own"], row["version"])
    return None if row["standing"] == "deactivated" else subject(row["body"], row["version"])


async def for_staff(database: Database, account_id: UUID, _viewer: UUID | None) -> Representation | None:
    """An account as staff see it, None when there is none."""
    return inspected(await find(database, account_id))


def inspected(row: "Record | None") -> Representation | None:
    """All that its owner sees, and which of its roles count only with a second factor."""
    if row is None:
        return None
    demanding = [grant for grant in row["roles"] if (role := role_of(grant)) and role.second_factor]
    body = b'%b,"second_factor_for":%b}' % (row["own"][:-1], orjson.dumps(demanding))
    return subject(body, row["version"])


async def id_of(database: Database, name: UUID | str) -> UUID:
    """The id behind a name.

    A handle without an account may be somebody's who has a token of the local stack: his id follows from it.
    """
    if isinstance(name, UUID):
        return name
    row = await find(database, name)
    found: UUID = ids.account_id(name) if row is None else row["account_id"]
    return found
