"""Reads show ready JSON, in pages of a stable order, with entity tags."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter

from gateway.shapes import CommandStatus, Pick, Picks, Thing, Things
from schemas import ids
from schemas.picks import PickDeleted
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, a_thing, slug
from tests.given import NOON, a_state, added, published, reacted


async def test_a_pick_is_shown_with_author_thing_and_reactions(
    mesh: Mesh, anybody: httpx.AsyncClient, ana: Person, bo: Person
) -> None:
    thing = a_thing('Quotes " and \\ and ünicode')
    pick = published(ana.account, thing, note="N", rating=4.5, tags=("a", "b"))
    likes = [reacted(who.account, "like", pick.pick_id) for who in (ana, bo)]
    await mesh.project(added(thing), pick, *likes, reacted(ana.account, "love", pick.pick_id))

    answer = await anybody.get(f"/v1/picks/{pick.pick_id}")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "id": str(pick.pick_id),
        "author": {"id": str(ana.account)},
        "thing": {"id": str(pick.thing_id), "ref": thing.ref, "kind": "page", "title": thing.title},
        "note": "N",
        "rating": 4.5,
        "tags": ["a", "b"],
        "picked_at": "2026-06-01T12:00:00Z",
        "published_at": "2026-06-01T12:00:00Z",
        "edited_at": None,
        "version": 1,
        "reactions": {"like": 2, "love": 1},
    }


async def test_a_thing_that_is_not_known_yet_is_shown_by_its_id(
    mesh: Mesh, anybody: httpx.AsyncClient, ana: Person
) -> None:
    pick = published(ana.account, a_thing())
    await mesh.project(pick)

    answer = await anybody.get(f"/v1/picks/{pick.pick_id}")

    assert answer.json()["thing"] == {"id": str(pick.thing_id)}


async def test_a_thing_is_shown_with_how_it_was_picked(
    mesh: Mesh, anybody: httpx.AsyncClient, person: Callable[[], Person]
) -> None:
    thing = a_thing()
    ratings = [5.0, 4.5, 4.5, 0.5, None, 3.0, 3.0]
    picks = [published(person().account, thing, rating=rating) for rating in ratings]
    await mesh.project(added(thing), *picks)

    answer = await anybody.get(f"/v1/things/{picks[0].thing_id}")

    assert answer.json() == {
        "id": str(ids.thing_id(thing.ref)),
        "ref": thing.ref,
        "kind": "page",
        "title": "A",
        "pick_count": 7,
        "rating_count": 6,
        "rating_mean": round((5 + 4.5 + 4.5 + 0.5 + 3 + 3) / 6, 4),
        "rating_histogram": dict.fromkeys(("0.5", "5.0"), 1)
        | dict.fromkeys(("1.0", "1.5", "2.0", "2.5", "3.5", "4.0"), 0)
        | dict.fromkeys(("3.0", "4.5"), 2),
    }


async def test_without_ratings_there_is_no_mean(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    thing = a_thing()
    await mesh.project(added(thing), published(ana.account, thing))

    shown = (await anybody.get(f"/v1/things/{ids.thing_id(thing.ref)}")).json()

    assert (shown["pick_count"], shown["rating_count"], shown["rating_mean"]) == (1, 0, None)
    assert list(shown["rating_histogram"]) == [str(half / 2) for half in range(1, 11)]


async def test_a_thing_is_found_by_any_spelling_of_its_ref(mesh: Mesh, anybody: httpx.AsyncClient) -> None:
    thing = a_thing()
    await mesh.project(added(thing))
    other = thing.ref.replace("https://", "HTTP://WWW.") + "/?utm_source=x#top"

    found = await anybody.get("/v1/things", params={"ref": other})
    unknown = await anybody.get("/v1/things", params={"ref": a_thing().ref})

    assert [item["ref"] for item in found.json()["items"]] == [thing.ref]
    assert unknown.json() == {"items": []}


@pytest.mark.parametrize("path", ["/v1/picks/{id}", "/v1/things/{id}"])
async def test_what_is_not_there_is_not_found(anybody: httpx.AsyncClient, path: str) -> None:
    answer = await anybody.get(path.format(id=uuid4()))

    assert (answer.status_code, slug(answer)) == (404, "not-found")


async def test_accounts_go_by_id_or_handle(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    pick = published(ana.account, a_thing())
    await mesh.project(pick)

    for name in (ana.account, f"@{ana.handle}", f"@{ana.handle.upper()}", str(ana.account).upper()):
        page = await anybody.get(f"/v1/accounts/{name}/picks")
        assert [item["id"] for item in page.json()["items"]] == [str(pick.pick_id)]


async def test_deleted_picks_are_in_no_listing(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    thing = a_thing()
    gone = a_state(PickDeleted, ana.account, thing, version=2, deleted_at=NOON)
    await mesh.project(added(thing), published(ana.account, thing), gone)

    for path in (f"/v1/accounts/{ana.account}/picks", f"/v1/things/{gone.thing_id}/picks"):
        assert (await anybody.get(path)).json() == {"items": [], "next": None}
    assert (await anybody.get(f"/v1/picks/{gone.pick_id}")).status_code == 404
    assert (await ana.send("GET", f"/v1/picks/{gone.pick_id}")).json()["deleted_at"] == "2026-06-01T12:00:00Z"


async def paths_of(mesh: Mesh, ana: Person) -> dict[str, type[Any]]:
    """A path of every read route that anybody may use, with what it shows."""
    thing = a_thing()
    pick = published(ana.account, thing, rating=4)
    await mesh.project(added(thing), pick, reacted(ana.account, "like", pick.pick_id))
    return {
        f"/v1/picks/{pick.pick_id}": Pick,
        f"/v1/things/{pick.thing_id}": Thing,
        f"/v1/things?ref={thing.ref}": Things,
        f"/v1/things/{pick.thing_id}/picks": Picks,
        f"/v1/accounts/{ana.account}/picks": Picks,
        "/v1/feeds/latest?limit=1": Picks,
    }


async def test_reads_show_what_openapi_says(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    for path, shape in (await paths_of(mesh, ana)).items():
        TypeAdapter(shape).validate_json((await anybody.get(path)).content)
    status = await ana.send("GET", f"/v1/commands/{uuid4()}")
    CommandStatus.model_validate_json(status.content)


async def test_the_unchanged_is_not_sent_again(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    for path in await paths_of(mesh, ana):
        first = await anybody.get(path)
        tag = first.headers["etag"]

        for sent in (tag, f'"other", {tag}', "*", f"W/{tag.removeprefix('W/')}"):
            again = await anybody.get(path, headers={"if-none-match": sent})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await anybody.get(path, headers={"if-none-match": '"other"'})).content == first.content


async def test_the_tag_of_a_subject_has_its_version_and_moves_with_the_rest(
    mesh: Mesh, anybody: httpx.AsyncClient, ana: Person
) -> None:
    pick = published(ana.account, a_thing())
    await mesh.project(pick)
    path = f"/v1/picks/{pick.pick_id}"
    before = (await anybody.get(path)).headers["etag"]

    await mesh.project(reacted(ana.account, "like", pick.pick_id))
    after = (await anybody.get(path)).headers["etag"]

    assert before.startswith('"1-')
    assert after.startswith('"1-')
    assert before != after


async def test_head_has_no_body_but_the_headers(mesh: Mesh, anybody: httpx.AsyncClient, ana: Person) -> None:
    for path in await paths_of(mesh, ana):
        got, head = await anybody.get(path), await anybody.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert head.headers[name] == got.headers[name]


async def test_what_came_with_a_token_is_kept_by_its_owner_only(
    mesh: Mesh, anybody: httpx.AsyncClient, ana: Person
) -> None:
    for path in await paths_of(mesh, ana):
        assert (await anybody.get(path)).headers["cache-control"] == "public, no-cache"
        mine = await ana.send("GET", path)
        assert mine.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in mine.headers["vary"]
