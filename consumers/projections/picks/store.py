"""SQL of the read model of picks; set-based, in primary-key order, guarded by version."""

from collections.abc import Sequence
from typing import Final

import orjson

from infra.runtime import Db
from schemas.accounts import AccountGone, AccountState
from schemas.picks import PickGone, PickState
from schemas.reactions import Reacted, ReactionGone

SHOW: Final = """
    INSERT INTO pick (pick_id, author_id, thing_id, version, picked_at, published_at, deleted_at, body)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::timestamptz[],
                         $6::timestamptz[], $7::timestamptz[], $8::bytea[])
     ORDER BY 1
    ON CONFLICT (pick_id) DO UPDATE
       SET version = excluded.version, picked_at = excluded.picked_at, published_at = excluded.published_at,
           deleted_at = excluded.deleted_at, body = excluded.body
     WHERE excluded.version > pick.version
"""


async def show(db: Db, picks: Sequence[PickState]) -> None:
    """Write each pick's newest state."""
    await db.execute(
        SHOW,
        [pick.pick_id for pick in picks],
        [pick.author_id for pick in picks],
        [pick.thing_id for pick in picks],
        [pick.version for pick in picks],
        [pick.picked_at for pick in picks],
        [pick.published_at for pick in picks],
        [pick.deleted_at for pick in picks],
        [members(pick) for pick in picks],
    )


def members(pick: PickState) -> bytes:
    """The pick's JSON members without braces: the gateway puts author, thing and reactions beside them."""
    shown: dict[str, object] = {
        "id": pick.pick_id,
        "note": pick.note,
        "rating": pick.rating,
        "tags": pick.tags,
        "picked_at": pick.picked_at,
        "published_at": pick.published_at,
        "edited_at": pick.edited_at,
        "version": pick.version,
    }
    if pick.deleted_at is not None:
        shown["deleted_at"] = pick.deleted_at
    return orjson.dumps(shown, option=orjson.OPT_UTC_Z)[1:-1]


async def hide(db: Db, picks: Sequence[PickGone]) -> None:
    """Remove picks that are gone."""
    await db.execute(
        "DELETE FROM pick USING unnest($1::uuid[], $2::bigint[]) AS g(pick_id, version)"
        " WHERE pick.pick_id = g.pick_id AND pick.version < g.version",
        [pick.pick_id for pick in picks],
        [pick.version for pick in picks],
    )


REACT: Final = """
    WITH edge AS (
        INSERT INTO reaction (pick_id, account_id, kind, version)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) ORDER BY 1, 2, 3
        ON CONFLICT (pick_id, account_id, kind) DO UPDATE SET version = excluded.version
         WHERE excluded.version > reaction.version
        RETURNING pick_id, kind, (xmax = 0) AS new)
    INSERT INTO reaction_count AS c (pick_id, kind, count)
    SELECT pick_id, kind, count(*) FROM edge WHERE new GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (pick_id, kind) DO UPDATE SET count = c.count + excluded.count
"""


async def react(db: Db, edges: Sequence[Reacted]) -> None:
    """Keep new edges, and count those that were not there."""
    await db.execute(
        REACT,
        [edge.pick_id for edge in edges],
        [edge.account_id for edge in edges],
        [edge.kind for edge in edges],
        [edge.version for edge in edges],
    )


UNREACT: Final = """
    WITH edge AS (
        DELETE FROM reaction r USING unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
                                     AS g(pick_id, account_id, kind, version)
         WHERE r.pick_id = g.pick_id AND r.account_id = g.account_id AND r.kind = g.kind
           AND r.version < g.version
        RETURNING r.pick_id, r.kind),
    less AS (SELECT pick_id, kind, count(*) AS n FROM edge GROUP BY 1, 2)
    MERGE INTO reaction_count c USING less ON c.pick_id = less.pick_id AND c.kind = less.kind
     WHEN MATCHED AND c.count = less.n THEN DELETE
     WHEN MATCHED THEN UPDATE SET count = c.count - less.n
"""


async def unreact(db: Db, edges: Sequence[ReactionGone]) -> None:
    """Remove edges, and uncount those that were there; of none no row is left, as if there never were any."""
    await db.execute(
        UNREACT,
        [edge.pick_id for edge in edges],
        [edge.account_id for edge in edges],
        [edge.kind for edge in edges],
        [edge.version for edge in edges],
    )


INTRODUCE: Final = """
    INSERT INTO author (account_id, version, body)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) ORDER BY 1
    ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, body = excluded.body
     WHERE excluded.version > author.version
"""


async def introduce(db: Db, accounts: Sequence[AccountState]) -> None:
    """Write each author's newest state."""
    await db.execute(
        INTRODUCE,
        [account.account_id for account in accounts],
        [account.version for account in accounts],
        [author(account) for account in accounts],
    )


def author(account: AccountState) -> bytes:
    """The author as JSON; of a deactivated account only the id, as its own page shows nothing."""
    shown: dict[str, object] = {"id": account.account_id}
    if account.standing != "deactivated":
        shown |= {"handle": account.handle, "display_name": account.display_name}
    return orjson.dumps(shown)


async def forget(db: Db, accounts: Sequence[AccountGone]) -> None:
    """Remove authors that are gone."""
    await db.execute(
        "DELETE FROM author USING unnest($1::uuid[], $2::bigint[]) AS g(account_id, version)"
        " WHERE author.account_id = g.account_id AND author.version < g.version",
        [account.account_id for account in accounts],
        [account.version for account in accounts],
    )
