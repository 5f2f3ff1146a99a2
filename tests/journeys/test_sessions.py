"""Sessions on the whole platform: seen, named, ended, and refused by every gateway soon after."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx
import pytest

from tests.journeys.stack import Stack
from tests.journeys.visitors import Letterbox, Signed, patiently, registers, signs_in

WAIT = {"prefer": "wait=10"}


@pytest.fixture(scope="module")
def two(stack: Stack) -> Iterator[Stack]:
    """The platform with two gateways."""
    stack.start("other_gateway")
    yield stack
    stack.kill("other_gateway")


@pytest.fixture
async def http(two: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=two.url, timeout=30) as client:
        yield client


@pytest.fixture
async def other(two: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the other gateway."""
    async with httpx.AsyncClient(base_url=two.address("other_gateway"), timeout=30) as client:
        yield client


@pytest.fixture
async def ana(http: httpx.AsyncClient, letters: Letterbox) -> Signed:
    return await signs_in(http, await registers(http, letters), device="laptop")


async def refused(gateway: httpx.AsyncClient, who: Signed) -> float:
    """When this gateway refuses the access token, on the monotonic clock."""
    async with asyncio.timeout(10):
        while (await gateway.get("/v1/auth/sessions", headers=who.headers)).status_code != 401:  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(0.02)
    return time.monotonic()


async def test_sessions_are_listed_named_and_ended(http: httpx.AsyncClient, ana: Signed) -> None:
    phone = await signs_in(http, ana.handle, device="phone")
    tablet = await signs_in(http, ana.handle, device="tablet")

    after = {"pickly-after": tablet.command}
    listed = (await http.get("/v1/auth/sessions", headers=ana.headers | after)).json()["items"]
    path = f"/v1/auth/sessions/{phone.tokens['session_id']}"
    named = await http.patch(path, json={"device": "old phone"}, headers=ana.headers | WAIT)
    ended = await http.delete(path, headers=ana.headers | WAIT)
    left = (await http.get("/v1/auth/sessions", headers=ana.headers)).json()["items"]

    assert [(each["device"], each["current"]) for each in listed] == [
        ("tablet", False),
        ("phone", False),
        ("laptop", True),
    ]
    assert named.status_code == 200, named.text
    assert named.json().get("device") == "old phone", named.text
    assert named.headers["content-location"] == path
    assert (ended.status_code, ended.json()["status"]) == (200, "done")
    assert [each["id"] for each in left] == [tablet.tokens["session_id"], ana.tokens["session_id"]]


async def test_the_others_end_at_once_and_the_one_that_asks_stays(
    http: httpx.AsyncClient, other: httpx.AsyncClient, ana: Signed
) -> None:
    phone = await signs_in(http, ana.handle)

    ended = await http.delete("/v1/auth/sessions", headers=ana.headers | WAIT)

    assert ended.status_code == 200
    await asyncio.gather(refused(http, phone), refused(other, phone))
    shown = await http.get("/v1/auth/sessions/current", headers=ana.headers)
    assert shown.json()["id"] == ana.tokens["session_id"]


async def test_nobody_ends_or_sees_a_session_of_somebody_else(
    http: httpx.AsyncClient, letters: Letterbox, ana: Signed
) -> None:
    bo = await signs_in(http, await registers(http, letters))

    for path in (f"/v1/auth/sessions/{ana.tokens['session_id']}", f"/v1/auth/sessions/{uuid4()}"):
        assert (await http.get(path, headers=bo.headers)).status_code == 404
        assert (await http.delete(path, headers=bo.headers | WAIT)).status_code == 404
        named = await http.patch(path, json={"device": "mine"}, headers=bo.headers | WAIT)
        assert named.status_code == 404


async def test_signing_out_ends_tokens_at_every_gateway(
    http: httpx.AsyncClient, other: httpx.AsyncClient, ana: Signed
) -> None:
    assert (await other.get("/v1/auth/sessions", headers=ana.headers)).status_code == 200
    began = time.monotonic()

    left = await http.delete("/v1/auth/sessions/current", headers=ana.headers)

    ended = await asyncio.gather(refused(http, ana), refused(other, ana))
    print(f"refused {max(ended) - began:.2f} s after signing out began")  # noqa: T201  # shown, not asserted
    body = {"refresh_token": ana.tokens["refresh_token"]}
    assert left.status_code == 202
    assert (await patiently(http, "POST", "/v1/auth/tokens", body)).status_code == 401


async def test_a_replayed_refresh_token_ends_the_family_at_every_gateway(
    http: httpx.AsyncClient, other: httpx.AsyncClient, ana: Signed
) -> None:
    tokens = [ana.tokens]
    for _ in range(2):
        answer = await http.post("/v1/auth/tokens", json={"refresh_token": tokens[-1]["refresh_token"]})
        tokens.append(answer.json())
    newest = Signed(ana.handle, tokens[-1])
    assert (await other.get("/v1/auth/sessions", headers=newest.headers)).status_code == 200
    began = time.monotonic()

    replay = await http.post("/v1/auth/tokens", json={"refresh_token": tokens[0]["refresh_token"]})

    ended = await asyncio.gather(*(refused(g, s) for g in (http, other) for s in (ana, newest)))
    print(f"S6: refused by both gateways {max(ended) - began:.2f} s after the replay")  # noqa: T201  # as above
    assert (replay.status_code, replay.json()["type"]) == (401, "/problems/refresh-refused")
    late = await http.post("/v1/auth/tokens", json={"refresh_token": newest.tokens["refresh_token"]})
    assert late.status_code == 401


async def test_fifty_at_once_get_the_same_successor(http: httpx.AsyncClient, ana: Signed) -> None:
    body = {"refresh_token": ana.tokens["refresh_token"]}

    answers = await asyncio.gather(*(patiently(http, "POST", "/v1/auth/tokens", body) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    assert successor != body["refresh_token"]
    again = await patiently(http, "POST", "/v1/auth/tokens", {"refresh_token": successor})
    assert again.status_code == 200


async def test_the_keys_that_verify_tokens_are_published(http: httpx.AsyncClient, ana: Signed) -> None:
    answer = await http.get("/.well-known/jwks.json")

    assert answer.headers["cache-control"] == "public, max-age=30"
    assert all(key["alg"] == "ES256" and "d" not in key for key in answer.json()["keys"])
    assert len(answer.json()["keys"]) >= 2  # the local stack's own, and at least one of identity
