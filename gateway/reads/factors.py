"""Second factors of an account: `read_factors` holds the whole list as ready JSON."""

from typing import Final
from uuid import UUID

from gateway.reads.database import Database
from gateway.reads.represent import Representation, subject

SHOWN: Final = ("read_factors",)
LIST: Final = "SELECT version, body FROM read_factors.factors WHERE account_id = $1"
CODES: Final = "SELECT version, recovery_codes FROM read_factors.factors WHERE account_id = $1"
NONE: Final = b'{"items":[],"recovery_codes":0}'


async def all_of(database: Database, account_id: UUID) -> Representation:
    """The list; an account that never had a factor has an empty one."""
    row = await database.fetchrow(LIST, account_id)
    return subject(NONE, 0) if row is None else subject(row["body"], row["version"])


async def codes_left(database: Database, account_id: UUID) -> Representation:
    """How many recovery codes are left."""
    row = await database.fetchrow(CODES, account_id)
    left, version = (0, 0) if row is None else (row["recovery_codes"], row["version"])
    return subject(b'{"left":%d}' % left, version)
