"""Listings come in pages of a stable order."""

from collections.abc import Callable
from datetime import timedelta

import httpx

from schemas import ids
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, a_thing
from tests.given import NOON, added, published


async def walk(client: httpx.AsyncClient, path: str, limit: int) -> list[str]:
    """The ids of all items of a listing, page by page."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = (await client.get(path + query)).json()
        assert len(page["items"]) <= limit
        found += [item["id"] for item in page["items"]]
        assert len(found) == len(set(found))
        cursor = page["next"]
    return found


async def test_pages_hold_every_pick_once_also_with_equal_times(
    mesh: Mesh, anybody: httpx.AsyncClient, ana: Person
) -> None:
    picks = [
        published(ana.account, a_thing(), picked_at=NOON + timedelta(minutes=n // 4), published_at=NOON)
        for n in range(23)
    ]
    await mesh.project(*picks)
    wanted = sorted(picks, key=lambda pick: (pick.picked_at, pick.pick_id), reverse=True)

    for limit in (1, 5, 22, 23, 100):
        found = await walk(anybody, f"/v1/accounts/{ana.account}/picks", limit)
        assert found == [str(pick.pick_id) for pick in wanted]


async def test_a_page_is_not_disturbed_by_what_comes_in_before_it(
    mesh: Mesh, anybody: httpx.AsyncClient, ana: Person
) -> None:
    older = [published(ana.account, a_thing(), picked_at=NOON - timedelta(hours=n)) for n in range(4)]
    await mesh.project(*older)
    path = f"/v1/accounts/{ana.account}/picks?limit=2"
    first = (await anybody.get(path)).json()

    await mesh.project(published(ana.account, a_thing(), picked_at=NOON + timedelta(hours=1)))
    second = (await anybody.get(f"{path}&cursor={first['next']}")).json()

    shown = [item["id"] for item in first["items"] + second["items"]]
    assert shown == [str(pick.pick_id) for pick in older]
    assert second["next"] is None


async def test_listings_have_the_order_they_promise(
    mesh: Mesh, anybody: httpx.AsyncClient, person: Callable[[], Person]
) -> None:
    thing = a_thing()
    times = [NOON + timedelta(days=400, minutes=n) for n in (2, 0, 1)]
    picks = [
        published(person().account, thing, picked_at=NOON - timedelta(minutes=n), published_at=at)
        for n, at in enumerate(times)
    ]
    await mesh.project(added(thing), *picks)
    wanted = [str(picks[n].pick_id) for n in (0, 2, 1)]

    of_thing = (await anybody.get(f"/v1/things/{picks[0].thing_id}/picks")).json()
    latest = (await anybody.get("/v1/feeds/latest?limit=3")).json()

    assert [item["id"] for item in of_thing["items"]] == wanted
    assert [item["id"] for item in latest["items"]] == wanted


async def test_a_cursor_belongs_to_its_listing(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    thing = a_thing()
    await mesh.project(*(published(ana.account, a_thing()) for _ in range(2)), added(thing))
    cursor = (await anybody.get(f"/v1/accounts/{ana.account}/picks?limit=1")).json()["next"]

    answer = await anybody.get(f"/v1/things/{ids.thing_id(thing.ref)}/picks?cursor={cursor}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
