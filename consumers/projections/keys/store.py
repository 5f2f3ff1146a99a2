"""SQL of the read model of public keys."""

from collections.abc import Sequence
from typing import Final

from infra.runtime import Db
from schemas.keys import KeyGone, KeyPublished

SHOW: Final = """
    INSERT INTO key (key_id, use, public, published_at, version)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[]) ORDER BY 1
    ON CONFLICT (key_id) DO UPDATE
       SET use = excluded.use, public = excluded.public, published_at = excluded.published_at,
           version = excluded.version
     WHERE excluded.version > key.version
"""


async def show(db: Db, keys: Sequence[KeyPublished]) -> None:
    """Write each key's newest state."""
    await db.execute(
        SHOW,
        [key.key_id for key in keys],
        [key.use for key in keys],
        [key.public for key in keys],
        [key.published_at for key in keys],
        [key.version for key in keys],
    )


async def drop(db: Db, keys: Sequence[KeyGone]) -> None:
    """Forget keys that are gone."""
    await db.execute("DELETE FROM key WHERE key_id = ANY($1)", [key.key_id for key in keys])
