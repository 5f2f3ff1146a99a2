"""From an HTTP request to the pages that show it, through every process and a real broker."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.journeys.conftest import Person

People = Callable[[], Person]
WAIT = {"prefer": "wait=10"}


async def test_a_pick_is_visible_to_everybody_when_its_author_is_told_so(person: People, ref: str) -> None:
    ana, bo = person(), person()

    created = await ana.publishes(ref, note="Watch it twice.", rating=4.5, tags=["slow", "sf"])

    assert created.status_code == 201, created.text
    pick = created.json()
    assert (pick["note"], pick["rating"], pick["tags"], pick["version"]) == (
        "Watch it twice.",
        4.5,
        ["slow", "sf"],
        1,
    )
    assert (await bo.http.get(f"/v1/picks/{pick['id']}")).json() == pick
    assert [p["id"] for p in (await bo.http.get(f"/v1/accounts/@{ana.handle}/picks")).json()["items"]] == [
        pick["id"]
    ]
    assert pick["id"] in [p["id"] for p in (await bo.http.get("/v1/feeds/latest")).json()["items"]]
    thing = (await bo.http.get(f"/v1/things/{pick['thing']['id']}")).json()
    assert (thing["ref"], thing["pick_count"], thing["rating_mean"]) == (ref, 1, 4.5)
    assert thing["rating_histogram"]["4.5"] == 1
    assert (await bo.http.get("/v1/things", params={"ref": ref})).json()["items"] == [thing]
    assert [p["id"] for p in (await bo.http.get(f"/v1/things/{thing['id']}/picks")).json()["items"]] == [
        pick["id"]
    ]


async def test_without_waiting_the_command_tells_when_it_is_done(person: People, ref: str) -> None:
    ana = person()
    body = {"thing": {"ref": ref, "kind": "film", "title": "A film"}}

    accepted = await ana.http.post("/v1/picks", json=body)

    assert accepted.status_code == 202
    command = await settled(ana, accepted.headers["location"])
    assert command["status"] == "done"
    assert (await ana.http.get(command["resource"])).json()["thing"]["ref"] == ref


async def settled(someone: Person, location: str) -> dict[str, str]:
    for _ in range(400):
        command: dict[str, str] = (await someone.http.get(location)).json()
        if command["status"] != "pending":
            return command
    raise AssertionError("still pending")


async def test_after_a_202_a_read_that_names_the_command_is_never_stale(person: People, ref: str) -> None:
    ana, bo = person(), person()
    for n in range(20):
        body = {"thing": {"ref": f"{ref}.{n}", "kind": "film", "title": "A film"}, "rating": 3}
        accepted = await ana.http.post("/v1/picks", json=body)
        after = {"pickly-after": accepted.headers["pickly-command"]}

        pick = await bo.http.get(accepted.json()["resource"], headers=after)
        account = await bo.http.get(f"/v1/accounts/@{ana.handle}/picks", headers=after)
        thing = await bo.http.get("/v1/things", params={"ref": f"{ref}.{n}"}, headers=after)

        assert pick.status_code == 200, pick.text
        assert len(account.json()["items"]) == min(n + 1, 20)
        assert thing.json()["items"][0]["pick_count"] == 1


async def test_a_second_pick_of_the_same_thing_is_refused_with_a_link_to_the_first(
    person: People, ref: str
) -> None:
    ana = person()
    first = await ana.publishes(ref)

    second = await ana.publishes(ref, note="again")

    assert second.status_code == 409
    problem = second.json()
    assert problem["type"].endswith("already-picked")
    assert urlsplit(problem["resource"]).path == f"/v1/picks/{first.json()['id']}"
    assert (await ana.http.get(problem["resource"])).status_code == 200


async def test_an_edit_needs_the_version_that_the_editor_saw(person: People, ref: str) -> None:
    ana = person()
    pick = (await ana.publishes(ref, note="first", rating=2)).json()
    here = f"/v1/picks/{pick['id']}"
    etag = (await ana.http.get(here)).headers["etag"]

    blind = await ana.http.patch(here, json={"note": "second"}, headers=WAIT)
    edited = await ana.http.patch(here, json={"note": "second"}, headers=WAIT | {"if-match": etag})
    stale = await ana.http.patch(here, json={"note": "third"}, headers=WAIT | {"if-match": etag})

    assert (blind.status_code, edited.status_code, stale.status_code) == (428, 200, 412)
    assert (edited.json()["note"], edited.json()["rating"], edited.json()["version"]) == ("second", 2, 2)
    assert edited.json()["edited_at"] is not None


async def test_a_deleted_pick_is_hidden_from_all_but_its_author_until_it_is_restored(
    person: People, ref: str
) -> None:
    ana, bo = person(), person()
    pick = (await ana.publishes(ref, rating=5)).json()
    here, thing = f"/v1/picks/{pick['id']}", f"/v1/things/{pick['thing']['id']}"

    deleted = await ana.http.delete(here, headers=WAIT)

    assert deleted.status_code == 200, deleted.text
    assert (await bo.http.get(here)).status_code == 404
    assert (await ana.http.get(here)).json()["deleted_at"] is not None
    assert (await bo.http.get(f"/v1/accounts/@{ana.handle}/picks")).json()["items"] == []
    assert (await bo.http.get(thing)).json()["pick_count"] == 0

    again = await ana.publishes(ref)
    restored = await ana.http.post(f"{here}/restore", headers=WAIT)

    assert again.status_code == 409
    assert restored.status_code == 200
    assert (await bo.http.get(here)).json()["rating"] == 5
    assert (await bo.http.get(thing)).json()["pick_count"] == 1


async def test_reactions_are_counted_once_per_account_and_kind(person: People, ref: str) -> None:
    ana, bo, cleo = person(), person(), person()
    here = f"/v1/picks/{(await ana.publishes(ref)).json()['id']}"

    for who, kind in ((bo, "like"), (bo, "like"), (cleo, "like"), (cleo, "love")):
        answer = await who.http.put(f"{here}/reactions/{kind}", headers=WAIT)
        assert answer.status_code == 200, answer.text
    counted = (await bo.http.get(here)).json()["reactions"]
    await cleo.http.delete(f"{here}/reactions/like", headers=WAIT)

    assert counted == {"like": 2, "love": 1}
    assert (await bo.http.get(here)).json()["reactions"] == {"like": 1, "love": 1}


async def test_only_its_actor_sees_a_command(person: People, ref: str) -> None:
    ana, bo = person(), person()
    location = (
        await ana.http.post("/v1/picks", json={"thing": {"ref": ref, "kind": "film", "title": "A"}})
    ).headers["location"]
    assert (await settled(ana, location))["status"] == "done"
    assert (await bo.http.get(location)).json()["status"] == "pending"


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_pages_hold_every_pick_once_in_a_stable_order(person: People, ref: str, limit: int) -> None:
    ana = person()
    years = [2001, 1999, 1999, 2010, 2005, 1999, 2020]
    for n, year in enumerate(years):
        await ana.publishes(f"{ref}.{n}", picked_at=f"{year}-01-01T00:00:00Z")

    items: list[Any] = []
    page = await page_of(ana, limit, None)
    while page["next"] is not None:
        items += page["items"]
        page = await page_of(ana, limit, page["next"])
    items += page["items"]

    assert [int(item["picked_at"][:4]) for item in items] == sorted(years, reverse=True)
    assert len({item["id"] for item in items}) == len(years)


async def page_of(ana: Person, limit: int, cursor: str | None) -> dict[str, Any]:
    query = httpx.QueryParams({"limit": limit} | ({"cursor": cursor} if cursor else {}))
    answer = await ana.http.get(f"/v1/accounts/@{ana.handle}/picks", params=query)
    found: dict[str, Any] = answer.json()
    return found
