"""SQL of the read model of accounts: ready JSON, one for everybody and one for the owner."""

from collections.abc import Sequence
from typing import Final

import orjson

from infra.runtime import Db
from schemas.accounts import AccountGone, AccountState

SHOW: Final = """
    INSERT INTO account (account_id, handle, standing, roles, roles_changed_at, version, body, own, former)
    SELECT t.account_id, t.handle, t.standing, string_to_array(t.roles, ' '), t.roles_changed_at, t.version,
           t.body, t.own, t.former::jsonb
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[],
                  $7::bytea[], $8::bytea[], $9::text[])
           AS t(account_id, handle, standing, roles, roles_changed_at, version, body, own, former)
     ORDER BY 1
    ON CONFLICT (account_id) DO UPDATE
       SET handle = excluded.handle, standing = excluded.standing, roles = excluded.roles,
           roles_changed_at = excluded.roles_changed_at, version = excluded.version, body = excluded.body,
           own = excluded.own, former = excluded.former
     WHERE excluded.version > account.version
"""


async def show(db: Db, accounts: Sequence[AccountState]) -> None:
    """Write each account's newest state."""
    await db.execute(
        SHOW,
        [account.account_id for account in accounts],
        [account.handle for account in accounts],
        [account.standing for account in accounts],
        [" ".join(account.roles) for account in accounts],
        [account.roles_changed_at for account in accounts],
        [account.version for account in accounts],
        [orjson.dumps(_public(account), option=orjson.OPT_UTC_Z) for account in accounts],
        [orjson.dumps(_own(account), option=orjson.OPT_UTC_Z) for account in accounts],
        [_former(account) for account in accounts],
    )


def _former(account: AccountState) -> str:
    until = {former.handle: former.until for former in account.former_handles}
    return orjson.dumps(until, option=orjson.OPT_UTC_Z).decode()


def _public(account: AccountState) -> dict[str, object]:
    return {
        "id": account.account_id,
        "handle": account.handle,
        "display_name": account.display_name,
        "bio": account.bio,
        "links": account.links,
        "opened_at": account.opened_at,
    }


def _own(account: AccountState) -> dict[str, object]:
    return _public(account) | {
        "language": account.language,
        "time_zone": account.time_zone,
        "roles": account.roles,
        "standing": account.standing,
        "handle_changed_at": account.handle_changed_at,
        "deletion_due_at": account.deletion_due_at,
        "version": account.version,
    }


async def drop(db: Db, accounts: Sequence[AccountGone]) -> None:
    """Forget accounts that are gone."""
    await db.execute(
        "DELETE FROM account WHERE account_id = ANY($1)", [account.account_id for account in accounts]
    )
