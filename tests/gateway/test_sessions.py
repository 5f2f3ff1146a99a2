"""Sessions as their owner sees them."""

from uuid import UUID, uuid4

import httpx
import pytest

from gateway.session_shapes import Jwks, Session, Sessions
from gateway.shapes import CommandStatus
from infra.settings import Settings
from infra.tokens import verify
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person

PATH = "/v1/auth/sessions"


@pytest.fixture
async def current(mesh: Mesh, ana: Person, servers: Settings) -> UUID:
    """The session of Ana's token."""
    session = UUID(verify(ana.token, settings=servers).session)
    await mesh.begin(session, ana.account)
    return session


@pytest.fixture
async def others(mesh: Mesh, ana: Person, current: UUID) -> list[UUID]:
    """Sessions of Ana that began later, newest first."""
    made = [uuid4() for _ in range(4)]
    for session in made:
        await mesh.begin(session, ana.account)
    return made[::-1]


async def test_the_newest_comes_first_page_by_page(ana: Person, current: UUID, others: list[UUID]) -> None:
    seen: list[str] = []
    following: str | None = ""
    while following is not None:
        cursor = f"&cursor={following}" if following else ""
        page = Sessions.model_validate_json((await ana.send("GET", f"{PATH}?limit=2{cursor}")).content)
        seen += [str(each.id) for each in page.items]
        following = page.next

    assert seen == [str(id) for id in (*others, current)]


async def test_the_one_that_asks_is_marked(ana: Person, current: UUID, others: list[UUID]) -> None:
    shown = Sessions.model_validate_json((await ana.send("GET", PATH)).content)

    assert [each.id for each in shown.items if each.current] == [current]
    assert all(each.current is not None for each in shown.items)
    assert (await ana.send("GET", f"{PATH}/current")).json()["id"] == str(current)


async def test_a_list_is_its_owners_alone(ana: Person, bo: Person, current: UUID) -> None:
    answer = await ana.send("GET", PATH)

    assert answer.headers["cache-control"] == "private, no-cache"
    assert (await bo.send("GET", PATH)).json() == {"items": [], "next": None}


async def test_a_name_is_seen_at_once(ana: Person, current: UUID) -> None:
    named = await ana.send("PATCH", f"{PATH}/current", {"device": "  old phone "}, **WAIT)

    shown = Session.model_validate_json(named.content)
    assert (shown.id, shown.device, shown.current) == (current, "old phone", None)
    assert named.headers["content-location"] == f"{PATH}/{current}"


@pytest.mark.parametrize("device", ["x" * 61, "two\nlines", 7, None])
async def test_a_name_is_one_short_line(ana: Person, current: UUID, device: object) -> None:
    answer = await ana.send("PATCH", f"{PATH}/current", {"device": device})

    assert answer.status_code == 422


async def test_what_has_ended_is_on_no_list(ana: Person, current: UUID, others: list[UUID]) -> None:
    ended = await ana.send("DELETE", f"{PATH}/{others[0]}", **WAIT)
    again = await ana.send("DELETE", f"{PATH}/{others[0]}", **WAIT)

    left = [each["id"] for each in (await ana.send("GET", PATH)).json()["items"]]
    assert [CommandStatus.model_validate_json(each.content).status for each in (ended, again)] == ["done"] * 2
    assert left == [str(id) for id in (*others[1:], current)]
    assert (await ana.send("GET", f"{PATH}/{others[0]}")).status_code == 404


async def test_ending_the_others_keeps_the_one_that_asks(
    ana: Person, current: UUID, others: list[UUID]
) -> None:
    kept = await ana.send("DELETE", PATH, **WAIT)

    assert kept.json()["id"] == str(current)
    assert [each["id"] for each in (await ana.send("GET", PATH)).json()["items"]] == [str(current)]


@pytest.mark.parametrize("wrong", ["x", "CURRENT", "1"])
async def test_what_is_no_session_is_told(ana: Person, wrong: str) -> None:
    assert (await ana.send("GET", f"{PATH}/{wrong}")).status_code == 422
    assert (await ana.send("DELETE", f"{PATH}/{wrong}")).status_code == 422


async def test_keys_are_for_everybody_and_may_be_kept(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/.well-known/jwks.json")

    assert Jwks.model_validate_json(answer.content).keys[0].kty == "EC"
    assert answer.headers["cache-control"] == "public, max-age=30"
