"""The security log: one's own, newest first, in pages."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from consumers.projections.accounts import security_log
from gateway.routes.credentials import SecurityLog
from schemas.ids import made_by
from schemas.security import SecurityNoted
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, slug
from tests.given import NOON


@pytest.fixture
async def noted(mesh: Mesh, ana: Person) -> list[str]:
    """The ids of five entries of Ana's, the newest first; the last two are of the same moment."""
    entries = [
        SecurityNoted(
            account_id=ana.account,
            event_id=made_by(ana.account, f"event {n}"),
            kind="signed_in",
            at=NOON + timedelta(minutes=max(n, 1)),
            place="192.0.2.0/24",
            version=1,
        )
        for n in range(5)
    ]
    async with mesh.lock:
        await mesh.search("read_accounts")
        await security_log.note(mesh.connection, entries)
    newest = sorted(entries, key=lambda entry: (entry.at, entry.event_id), reverse=True)
    return [str(entry.event_id) for entry in newest]


async def test_the_log_comes_newest_first_in_pages_that_join(ana: Person, noted: list[str]) -> None:
    first = (await ana.send("GET", "/v1/auth/security-log?limit=4")).json()
    second = (await ana.send("GET", f"/v1/auth/security-log?limit=4&cursor={first['next']}")).json()

    TypeAdapter(SecurityLog).validate_python(first, extra="forbid")
    assert [item["id"] for item in first["items"] + second["items"]] == noted
    assert second["next"] is None


async def test_nobody_sees_the_log_of_somebody_else(bo: Person, noted: list[str]) -> None:
    assert (await bo.send("GET", "/v1/auth/security-log")).json() == {"items": [], "next": None}


async def test_a_cursor_of_another_listing_is_refused(mesh: Mesh, ana: Person, noted: list[str]) -> None:
    for _ in range(2):
        await ana.publish()
    other = (await ana.send("GET", "/v1/feeds/latest?limit=1")).json()["next"]

    answer = await ana.send("GET", f"/v1/auth/security-log?cursor={other}")

    assert (answer.status_code, slug(answer)) == (422, "invalid")
