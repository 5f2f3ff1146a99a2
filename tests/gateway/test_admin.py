"""Staff over HTTP: look at an account, give and take roles."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from infra.settings import Settings
from tests.accounts import an_account
from tests.gateway.matrix import KINDS, as_kind
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, slug


@pytest.fixture
async def admin(mesh: Mesh, servers: Settings, ana: Person) -> Person:
    """An admin who has signed in with two factors."""
    await mesh.open(an_account(ana.account, f"h{uuid4().hex[:20]}", roles=KINDS["admin"].roles))
    return as_kind(ana, KINDS["admin"], servers)


@pytest.fixture
async def account(mesh: Mesh, bo: Person) -> str:
    """The path of a member's account, as staff see it."""
    await mesh.open(an_account(bo.account, f"h{uuid4().hex[:20]}"))
    return f"/v1/admin/accounts/{bo.account}"


async def test_a_grant_answers_with_the_account_and_says_what_counts_only_with_a_second_factor(
    admin: Person, account: str
) -> None:
    granted = await admin.send("PUT", f"{account}/roles/moderator", **WAIT)
    scoped = await admin.send("PUT", f"{account}/roles/analyst:queue:spam", **WAIT)

    assert (granted.status_code, granted.headers["content-location"]) == (200, account)
    assert granted.json()["roles"] == ["member", "moderator"]
    assert granted.json()["second_factor_for"] == ["moderator"]
    assert scoped.json()["second_factor_for"] == ["moderator", "analyst:queue:spam"]
    assert (await admin.send("GET", account)).content == scoped.content


async def test_a_role_that_is_taken_is_gone(admin: Person, account: str) -> None:
    await admin.send("PUT", f"{account}/roles/analyst", **WAIT)

    taken = await admin.send("DELETE", f"{account}/roles/analyst", **WAIT)

    assert (taken.status_code, taken.json()["roles"]) == (200, ["member"])


async def test_an_admin_makes_no_owner_and_touches_no_other_admin(
    mesh: Mesh, admin: Person, account: str, person: Callable[[], Person]
) -> None:
    other = person().account
    await mesh.open(an_account(other, f"h{uuid4().hex[:20]}", roles=("admin",)))

    refused = [
        await admin.send("PUT", f"{account}/roles/owner", **WAIT),
        await admin.send("DELETE", f"/v1/admin/accounts/{other}/roles/admin", **WAIT),
        await admin.send("PUT", f"/v1/admin/accounts/{admin.account}/roles/moderator", **WAIT),
    ]

    assert [(answer.status_code, slug(answer)) for answer in refused] == [(403, "rank-too-low")] * 3


async def test_an_old_token_gives_nothing_that_its_account_may_not_give_any_more(
    mesh: Mesh, servers: Settings, account: str, person: Callable[[], Person]
) -> None:
    demoted = person()
    await mesh.open(an_account(demoted.account, f"h{uuid4().hex[:20]}"))

    answer = await as_kind(demoted, KINDS["admin"], servers).send("PUT", f"{account}/roles/analyst", **WAIT)

    assert (answer.status_code, slug(answer)) == (403, "forbidden")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("member", "forbidden"),
        ("moderator", "forbidden"),
        ("moderator of a queue", "forbidden"),
        ("admin with one factor", "second-factor-needed"),
    ],
)
async def test_who_may_not_is_told_why(
    mesh: Mesh, servers: Settings, person: Callable[[], Person], account: str, kind: str, problem: str
) -> None:
    before = mesh.effects.total()

    answer = await as_kind(person(), KINDS[kind], servers).send("PUT", f"{account}/roles/analyst", **WAIT)

    assert (answer.status_code, slug(answer)) == (403, problem)
    assert mesh.effects.total() == before


@pytest.mark.parametrize(
    "role", ["king", "Moderator", "moderator:", "moderator:all", "moderator:queue:", "moderator:queue:a b"]
)
async def test_a_role_that_there_is_not_is_named(admin: Person, account: str, role: str) -> None:
    answer = await admin.send("PUT", f"{account}/roles/{role}", **WAIT)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "role")
