"""Accounts: what they picked."""

from gateway.reads import picks as read
from gateway.reads.represent import Representation
from gateway.routes.values import DEFAULT_LIMIT, Account, Cursor, Limit
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import Picks

reads = ReadRouter("Accounts")


@reads.read(
    "/v1/accounts/{account}/picks",
    reads=read.SHOWN,
    may="public.read",
    shows=Picks,
    cost=2,
)
async def list_picks_of_account(
    account: Account, look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Representation:
    """Picks of an account, newest `picked_at` first."""
    return await read.page(look.services.database, look.pages, read.BY_AUTHOR, account, limit, cursor)
