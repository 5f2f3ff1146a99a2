"""The read model of security logs: ready JSON, and nothing once it is forgotten."""

from uuid import UUID

import orjson

from consumers.projections.accounts.app import forget, note
from infra.runtime import Db
from schemas.ids import made_by
from schemas.security import SecurityForgotten, SecurityNoted
from tests.given import ANA, NOON, batch

EVENT = made_by(ANA, "event")


def an_entry(event_id: UUID = EVENT) -> SecurityNoted:
    return SecurityNoted(
        account_id=ANA, event_id=event_id, kind="signed_in", at=NOON, place="192.0.2.0/24", version=1
    )


async def test_an_entry_is_kept_as_ready_json(accounts_db: Db) -> None:
    await note(batch(an_entry()), accounts_db)
    await note(batch(an_entry()), accounts_db)

    assert [
        orjson.loads(row["body"]) for row in await accounts_db.fetch("SELECT body FROM security_entry")
    ] == [
        {
            "id": str(EVENT),
            "kind": "signed_in",
            "at": "2026-06-01T12:00:00Z",
            "session": None,
            "place": "192.0.2.0/24",
            "device": "",
        }
    ]


async def test_a_forgotten_entry_is_gone_and_others_stay(accounts_db: Db) -> None:
    other = made_by(ANA, "another event")
    await note(batch(an_entry(), an_entry(other)), accounts_db)

    await forget(batch(SecurityForgotten(account_id=ANA, event_id=EVENT, version=2)), accounts_db)

    assert await accounts_db.fetchval("SELECT event_id FROM security_entry") == other
