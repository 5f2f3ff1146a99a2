"""Accounts: who they are, and what they picked."""

from gateway.problems import ProblemError
from gateway.reads import accounts, picks
from gateway.reads.represent import Representation
from gateway.routes.values import DEFAULT_LIMIT, AccountName, Cursor, Limit
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import Account, Picks

reads = ReadRouter("Accounts")


@reads.read(
    "/v1/accounts/{account}",
    reads=accounts.SHOWN,
    may="account.read",
    shows=Account,
    refusals=("not-found", "moved"),
)
async def show_account(account: AccountName, look: Look) -> Representation:
    """One account; to its owner all of it. A handle that it had before answers 308 with its address now."""
    row = await accounts.find(look.services.database, account)
    found = accounts.shown(row, look.viewer)
    if row is None or found is None:
        raise ProblemError("not-found", "There is no such account.")
    if isinstance(account, str) and account != row["handle"]:
        now = f"/v1/accounts/@{row['handle']}"
        raise ProblemError(
            "moved",
            f"This account is called @{row['handle']} now.",
            resource=now,
            headers=[(b"location", now.encode())],
        )
    return found


@reads.read(
    "/v1/accounts/{account}/picks",
    reads=picks.SHOWN,
    may="public.read",
    shows=Picks,
    cost=2,
)
async def list_picks_of_account(
    account: AccountName, look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Representation:
    """Picks of an account, newest `picked_at` first. A handle that it had before will do."""
    database = look.services.database
    account_id = await accounts.id_of(database, account)
    return await picks.page(database, look.pages, picks.BY_AUTHOR, account_id, limit, cursor)
