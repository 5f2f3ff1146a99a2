"""The read model of accounts: ready JSON for everybody and for the owner, and where old handles lead."""

from datetime import timedelta

import orjson

from consumers.projections.accounts.app import show
from infra.runtime import Db
from schemas.accounts import FormerHandle
from schemas.profile import HandleChanged, ProfileChanged
from tests.accounts import an_account
from tests.given import ANA, NOON, batch

FORMER = FormerHandle(handle="ana", until=NOON + timedelta(days=365))
RENAMED = HandleChanged(
    **an_account(handle="anna", version=3).model_dump() | {"version": 3, "former_handles": (FORMER,)}
)


async def test_everybody_sees_the_profile_and_its_owner_the_rest(accounts_db: Db) -> None:
    await show(batch(an_account(display_name="Ana", links=("https://ana.example",))), accounts_db)

    row = await accounts_db.fetchrow("SELECT body, own FROM account")
    assert row is not None
    public = {
        "id": str(ANA),
        "handle": "ana",
        "display_name": "Ana",
        "bio": "",
        "links": ["https://ana.example"],
        "opened_at": "2026-06-01T12:00:00Z",
    }
    assert orjson.loads(row["body"]) == public
    assert orjson.loads(row["own"]) == public | {
        "language": "en",
        "time_zone": "UTC",
        "roles": ["member"],
        "standing": "active",
        "handle_changed_at": None,
        "deletion_due_at": None,
        "version": 1,
    }


async def test_a_newer_state_replaces_and_an_older_one_does_not(accounts_db: Db) -> None:
    await show(batch(RENAMED), accounts_db)
    await show(batch(ProfileChanged(**an_account().model_dump() | {"version": 2})), accounts_db)

    row = await accounts_db.fetchrow("SELECT handle, version, former FROM account")
    assert row is not None
    assert (row["handle"], row["version"]) == ("anna", 3)
    assert orjson.loads(row["former"]) == {"ana": "2027-06-01T12:00:00Z"}
