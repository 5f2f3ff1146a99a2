"""SQL of the read model of second factors."""

from collections.abc import Sequence
from typing import Final

import orjson

from infra.runtime import Db
from schemas.factors import FactorsChanged, FactorsGone

SHOW: Final = """
    INSERT INTO factors (account_id, recovery_codes, version, body)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bytea[]) ORDER BY 1
    ON CONFLICT (account_id) DO UPDATE
       SET recovery_codes = excluded.recovery_codes, version = excluded.version, body = excluded.body
     WHERE excluded.version > factors.version
"""


async def show(db: Db, lists: Sequence[FactorsChanged]) -> None:
    """Write each account's newest list."""
    await db.execute(
        SHOW,
        [each.account_id for each in lists],
        [each.recovery_codes for each in lists],
        [each.version for each in lists],
        [_body(each) for each in lists],
    )


def _body(state: FactorsChanged) -> bytes:
    fields = {
        "items": [factor.model_dump() for factor in state.factors],
        "recovery_codes": state.recovery_codes,
    }
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z)


async def drop(db: Db, gone: Sequence[FactorsGone]) -> None:
    """Forget the lists of accounts that are gone."""
    await db.execute("DELETE FROM factors WHERE account_id = ANY($1)", [each.account_id for each in gone])
