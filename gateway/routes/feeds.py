"""Feeds: lists of picks that are nobody's own."""

from gateway.reads import picks as read
from gateway.reads.represent import Representation
from gateway.routes.values import DEFAULT_LIMIT, Cursor, Limit
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import Picks

reads = ReadRouter("Feeds")


@reads.read("/v1/feeds/latest", reads=read.SHOWN, may="public.read", shows=Picks, cost=2)
async def list_latest_picks(
    look: Look, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Representation:
    """All picks, newest publication first."""
    return await read.page(look.services.database, look.pages, read.LATEST, None, limit, cursor)
