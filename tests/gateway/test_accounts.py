"""Accounts over HTTP: one's own, those of others, and those that have another handle now."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter

from gateway.shapes import Account
from tests.accounts import an_account
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, new_pick, slug


@pytest.fixture
async def ana(mesh: Mesh, person: Callable[[], Person]) -> Person:
    """Somebody with an account. Its id does not follow from its handle."""
    someone = person()
    await mesh.open(an_account(someone.account, f"h{uuid4().hex[:20]}", display_name="Ana"))
    return someone


async def me(who: Person) -> dict[str, Any]:
    shown: dict[str, Any] = (await who.send("GET", "/v1/me")).json()
    return shown


async def test_an_account_is_shown_to_everybody_and_more_of_it_to_its_owner(
    ana: Person, bo: Person, anybody: httpx.AsyncClient
) -> None:
    own = await ana.send("GET", "/v1/me")
    path = f"/v1/accounts/@{own.json()['handle']}"

    seen = [
        await anybody.get(path),
        await bo.send("GET", path),
        await anybody.get(f"/v1/accounts/{ana.account}"),
    ]

    assert own.json()["roles"] == ["member"]
    assert TypeAdapter(Account).validate_json(own.content)
    assert (await ana.send("GET", path)).content == own.content
    for answer in seen:
        assert answer.json() == {name: own.json()[name] for name in answer.json()}
        assert answer.json().keys() == {"id", "handle", "display_name", "bio", "links", "opened_at"}
    assert own.headers["cache-control"] == "private, no-cache"


async def test_a_change_answers_with_the_account_and_its_next_entity_tag(ana: Person) -> None:
    before = await ana.send("GET", "/v1/me")
    changes = {"display_name": " Ana B. ", "links": ["https://ana.example/"], "language": "PT-br"}

    changed = await ana.send("PATCH", "/v1/me", changes, if_match=before.headers["etag"], **WAIT)

    assert changed.status_code == 200, changed.text
    assert changed.json() == before.json() | changes | {
        "display_name": "Ana B.",
        "language": "pt-BR",
        "version": 2,
    }
    again = await ana.send("GET", "/v1/me")
    assert (again.content, again.headers["etag"]) == (changed.content, changed.headers["etag"])
    assert (await ana.send("GET", changed.headers["content-location"])).content == changed.content


async def test_a_change_says_which_version_it_is_of(ana: Person) -> None:
    etag = (await ana.send("GET", "/v1/me")).headers["etag"]
    await ana.send("PATCH", "/v1/me", {"bio": "one"}, if_match=etag, **WAIT)

    missing = await ana.send("PATCH", "/v1/me", {"bio": "two"}, **WAIT)
    late = await ana.send("PATCH", "/v1/me", {"bio": "two"}, if_match=etag, **WAIT)

    assert (missing.status_code, slug(missing)) == (428, "precondition-required")
    assert (late.status_code, slug(late)) == (412, "stale")
    assert (await me(ana))["bio"] == "one"


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({}, "body", "value"),
        ({"display_name": "x" * 51}, "display_name", "max_length"),
        ({"display_name": "a\nb"}, "display_name", "value"),
        ({"display_name": "a\u202eb"}, "display_name", "value"),
        ({"display_name": None}, "display_name", "type"),
        ({"bio": "x" * 501}, "bio", "max_length"),
        ({"links": [f"https://example.org/{n}" for n in range(6)]}, "links", "max_items"),
        ({"links": "https://example.org"}, "links", "type"),
        ({"links": ["http://example.org"]}, "links.0", "value"),
        ({"links": ["https://example.org", "javascript:alert(1)"]}, "links.1", "value"),
        ({"links": ["https://example.org/a b"]}, "links.0", "value"),
        ({"links": ['https://example.org/"onclick=x']}, "links.0", "value"),
        ({"links": ["https://a:b@example.org"]}, "links.0", "value"),
        ({"links": ["https://[::1"]}, "links.0", "value"),
        ({"links": ["https://localhost"]}, "links.0", "value"),
        ({"links": ["https://example.org/" + "x" * 200]}, "links.0", "max_length"),
        ({"language": "xx"}, "language", "value"),
        ({"language": "english"}, "language", "value"),
        ({"language": "en_GB"}, "language", "value"),
        ({"language": "de-u-co-phonebk"}, "language", "value"),
        ({"time_zone": "Europe/Lisboa"}, "time_zone", "value"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "string_pattern_mismatch"),
        ({"time_zone": "+01:00"}, "time_zone", "string_pattern_mismatch"),
        ({"handle": "ana"}, "handle", "unknown_field"),
    ],
)
async def test_what_breaks_a_rule_is_named_with_the_rule(
    ana: Person, changes: dict[str, Any], field: str, rule: str
) -> None:
    answer = await ana.send("PATCH", "/v1/me", changes, if_match="*")

    assert (answer.status_code, slug(answer)) == (422, "invalid")
    assert [(e["field"], e["rule"]) for e in answer.json()["errors"]] == [(field, rule)]


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh-Hant-TW", "es-419", "sl-rozaj", "yue", "de-1996"])
async def test_languages_are_tags_of_bcp_47(ana: Person, tag: str) -> None:
    changes = json.dumps({"language": tag.upper(), "time_zone": "America/Argentina/Ushuaia"}).encode()

    changed = await ana.send("PATCH", "/v1/me", changes, if_match="*", **WAIT)

    assert changed.json()["language"] == tag


async def test_an_old_handle_leads_to_the_account_and_to_its_picks(
    ana: Person, anybody: httpx.AsyncClient
) -> None:
    old, new = (await me(ana))["handle"], f"n{uuid4().hex[:20]}"
    pick = (await ana.publish(new_pick())).json()["id"]

    changed = await ana.send("PUT", "/v1/me/handle", {"handle": new.upper()}, **WAIT)

    assert (changed.status_code, changed.json()["handle"]) == (200, new)
    moved = await anybody.get(f"/v1/accounts/@{old}")
    assert (moved.status_code, slug(moved)) == (308, "moved")
    assert moved.headers["location"] == f"/v1/accounts/@{new}"
    assert moved.headers["cache-control"] == "no-store"
    assert (await anybody.get(moved.headers["location"])).json()["id"] == str(ana.account)
    for name in (old, new, old.upper()):
        page = await anybody.get(f"/v1/accounts/@{name}/picks")
        assert [item["id"] for item in page.json()["items"]] == [pick]


async def test_a_handle_that_somebody_else_took_leads_to_him(
    mesh: Mesh, ana: Person, person: Callable[[], Person], anybody: httpx.AsyncClient
) -> None:
    old, heir = (await me(ana))["handle"], person()
    await ana.send("PUT", "/v1/me/handle", {"handle": f"n{uuid4().hex[:20]}"}, **WAIT)
    await mesh.project(an_account(heir.account, old))

    assert (await anybody.get(f"/v1/accounts/@{old}")).json()["id"] == str(heir.account)


async def test_a_second_change_of_the_handle_is_too_soon(ana: Person) -> None:
    await ana.send("PUT", "/v1/me/handle", {"handle": f"n{uuid4().hex[:20]}"}, **WAIT)

    soon = await ana.send("PUT", "/v1/me/handle", {"handle": f"n{uuid4().hex[:20]}"}, **WAIT)

    assert (soon.status_code, slug(soon)) == (409, "handle-changed-recently")


@pytest.mark.parametrize("handle", ["admin", "p1ckly"])
async def test_a_reserved_handle_is_nobodys(ana: Person, handle: str) -> None:
    refused = await ana.send("PUT", "/v1/me/handle", {"handle": handle}, **WAIT)

    assert (refused.status_code, slug(refused)) == (422, "handle-reserved")


async def test_a_deactivated_account_is_its_owners_to_see(
    mesh: Mesh, person: Callable[[], Person], anybody: httpx.AsyncClient
) -> None:
    gone, handle = person(), f"h{uuid4().hex[:20]}"
    await mesh.open(an_account(gone.account, handle, standing="deactivated"))

    for path in (f"/v1/accounts/{gone.account}", f"/v1/accounts/@{handle}"):
        assert (await anybody.get(path)).status_code == 404
        assert (await gone.send("GET", path)).json()["standing"] == "deactivated"


async def test_who_has_a_token_of_the_local_stack_and_no_account_has_picks_and_no_profile(
    bo: Person, anybody: httpx.AsyncClient
) -> None:
    pick = (await bo.publish(new_pick())).json()["id"]

    page = await anybody.get(f"/v1/accounts/@{bo.handle}/picks")

    assert [item["id"] for item in page.json()["items"]] == [pick]
    assert (await anybody.get(f"/v1/accounts/@{bo.handle}")).status_code == 404
    assert slug(await bo.send("GET", "/v1/me")) == "not-found"
    assert slug(await bo.send("PATCH", "/v1/me", {"bio": "x"}, if_match="*", **WAIT)) == "not-found"


async def test_a_pick_shows_its_author_as_he_is_now_under_another_entity_tag(ana: Person) -> None:
    pick = await ana.publish(new_pick())
    before = await ana.send("GET", f"/v1/picks/{pick.json()['id']}")

    changed = await ana.send("PATCH", "/v1/me", {"display_name": "Ana B."}, if_match="*", **WAIT)

    after = {"pickly_after": changed.headers["pickly-command"]}
    for path in (f"/v1/picks/{pick.json()['id']}", f"/v1/accounts/{ana.account}/picks", "/v1/feeds/latest"):
        shown = (await ana.send("GET", path, **after)).json()
        author = shown["author"] if "author" in shown else shown["items"][0]["author"]
        handle = changed.json()["handle"]
        assert author == {"id": str(ana.account), "handle": handle, "display_name": "Ana B."}
    assert before.json()["author"]["display_name"] == "Ana"
    again = await ana.send("GET", f"/v1/picks/{pick.json()['id']}", if_none_match=before.headers["etag"])
    assert again.status_code == 200


async def test_of_an_author_without_an_account_a_pick_shows_the_id(bo: Person) -> None:
    assert (await bo.publish()).json()["author"] == {"id": str(bo.account)}
