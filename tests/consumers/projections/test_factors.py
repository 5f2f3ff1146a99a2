"""The read model of second factors: one list for each account, always the newest."""

from uuid import UUID

import orjson

from consumers.projections.factors.app import drop, show
from infra.runtime import Db
from schemas.factors import FactorListed, FactorsChanged, FactorsGone
from tests.given import ANA, BO, NOON, batch

PHONE = FactorListed(
    id=UUID("7d1f6f0a-3a52-5f0e-8b1d-5d2c1b0a9f8e"), kind="totp", name="phone", added_at=NOON, used_at=None
)


def a_list(*factors: FactorListed, account: UUID = ANA, version: int = 1) -> FactorsChanged:
    return FactorsChanged(account_id=account, factors=factors, recovery_codes=9, version=version)


async def test_a_list_is_shown_whole(factors_db: Db) -> None:
    await show(batch(a_list(PHONE)), factors_db)

    row = await factors_db.fetchrow("SELECT recovery_codes, version, body FROM factors")
    assert row is not None
    assert (row["recovery_codes"], row["version"]) == (9, 1)
    item = {
        "id": str(PHONE.id),
        "kind": "totp",
        "name": "phone",
        "added_at": "2026-06-01T12:00:00Z",
        "used_at": None,
    }
    assert orjson.loads(row["body"]) == {"items": [item], "recovery_codes": 9}


async def test_a_newer_list_replaces_and_an_older_one_does_not(factors_db: Db) -> None:
    await show(batch(a_list(version=3)), factors_db)
    await show(batch(a_list(PHONE, version=2)), factors_db)

    row = await factors_db.fetchrow("SELECT version, body FROM factors")
    assert row is not None
    assert (row["version"], orjson.loads(row["body"])["items"]) == (3, [])


async def test_an_account_that_is_gone_has_no_list(factors_db: Db) -> None:
    await show(batch(a_list(PHONE), a_list(account=BO)), factors_db)

    await drop(batch(FactorsGone(account_id=ANA, version=2)), factors_db)

    assert [row["account_id"] for row in await factors_db.fetch("SELECT account_id FROM factors")] == [BO]
