"""Leaving over HTTP: what is asked for, when it is due, and that it can be taken back."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.accounts import an_account
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, slug


@pytest.fixture
async def ana(mesh: Mesh, person: Callable[[], Person]) -> Person:
    """Somebody with an account."""
    someone = person()
    await mesh.open(an_account(someone.account, f"h{uuid4().hex[:20]}"))
    return someone


async def test_a_deactivated_account_is_seen_by_its_owner_alone_until_it_is_back(
    ana: Person, anybody: httpx.AsyncClient
) -> None:
    away = await ana.send("PUT", "/v1/me/deactivation", **WAIT)
    unseen = await anybody.get(f"/v1/accounts/{ana.account}")
    back = await ana.send("DELETE", "/v1/me/deactivation", **WAIT)

    assert (away.status_code, away.json()["standing"]) == (200, "deactivated")
    assert unseen.status_code == 404
    assert (back.status_code, back.json()["standing"]) == (200, "active")
    assert (await anybody.get(f"/v1/accounts/{ana.account}")).status_code == 200


async def test_a_deletion_has_a_date_until_it_is_cancelled(ana: Person) -> None:
    before = await ana.send("GET", "/v1/me/deletion")
    asked = await ana.send("PUT", "/v1/me/deletion", **WAIT)
    due = await ana.send("GET", "/v1/me/deletion")
    await ana.send("DELETE", "/v1/me/deletion", **WAIT)

    assert before.json() == {"due_at": None}
    assert asked.status_code == 200, asked.text
    assert due.json()["due_at"] == asked.json()["deletion_due_at"] is not None
    assert (await ana.send("GET", "/v1/me/deletion")).json() == {"due_at": None}


async def test_who_has_no_account_can_neither_leave_nor_look(bo: Person) -> None:
    answers = [
        await bo.send("GET", "/v1/me/deletion"),
        await bo.send("PUT", "/v1/me/deletion", **WAIT),
        await bo.send("PUT", "/v1/me/deactivation", **WAIT),
    ]

    assert [(answer.status_code, slug(answer)) for answer in answers] == [(404, "not-found")] * 3
