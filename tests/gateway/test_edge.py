"""What every answer has around it, and what gets out when something breaks inside."""

import io
import json
import logging
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge import Edge
from infra import logs
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, new_pick, slug


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """Breaks with something that nobody may see."""
    raise RuntimeError("c4n4ry")


async def broken_midway(scope: Scope, receive: Receive, send: Send) -> None:
    """Breaks after the answer has begun."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("c4n4ry")


async def ask(app: ASGIApp, path: str = "/", **headers: str) -> httpx.Response:
    """One GET."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.get(path, headers=headers)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the process logs, as `python -m gateway` configures it, at DEBUG."""
    before = logging.getLogger().handlers[:]
    logs.configure("gateway", "DEBUG")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the client, which is no part of the process
    text = io.StringIO()
    for handler in logging.getLogger().handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(text)
    yield text
    logging.getLogger().handlers[:] = before


@pytest.mark.parametrize(
    "path", ["/v1/feeds/latest", "/v1/picks/x", "/nowhere", "/docs", "/openapi.json", "/healthz"]
)
async def test_every_answer_has_security_headers_and_an_id(anybody: httpx.AsyncClient, path: str) -> None:
    answer = await anybody.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert len(answer.headers["x-request-id"]) == 32


async def test_what_breaks_inside_is_500_without_detail(log: io.StringIO) -> None:
    answer = await ask(Edge(broken))

    assert (answer.status_code, slug(answer)) == (500, "internal")
    assert "c4n4ry" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert "RuntimeError" in log.getvalue()
    assert "c4n4ry" not in log.getvalue(), "an error's text may quote anything"
    assert answer.headers["x-request-id"] in log.getvalue()


async def test_an_answer_that_has_begun_is_not_begun_again(log: io.StringIO) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise NotImplementedError

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await Edge(broken_midway)(scope, receive, send)

    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_head_over_16_kib_is_refused(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/v1/feeds/latest", headers={"x-big": "x" * 16_384})

    assert (answer.status_code, slug(answer)) == (431, "headers-too-large")
    assert answer.headers["connection"] == "close"


async def test_a_target_over_16_kib_is_refused(anybody: httpx.AsyncClient) -> None:
    assert (await anybody.get(f"/v1/feeds/latest?cursor={'x' * 16_384}")).status_code == 431


@pytest.mark.parametrize("name", ["authorization", "idempotency-key", "if-match", "content-type"])
async def test_a_header_that_could_be_read_two_ways_is_malformed(
    app: ASGIApp, ana: Person, name: str
) -> None:
    headers = [("authorization", f"Bearer {ana.token}"), (name, "a"), (name, "b")]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.post("/v1/picks", headers=headers, json=new_pick())

    assert (answer.status_code, slug(answer)) == (400, "malformed")


async def test_the_log_tells_of_requests_and_no_secret_of_them(
    mesh: Mesh, ana: Person, log: io.StringIO
) -> None:
    canary = "c4n4ry"
    await ana.publish(new_pick(note=canary), idempotency_key=f"{canary}-{uuid4().hex}")
    await ana.send("POST", "/v1/picks", {"note": canary, canary: 1}, idempotency_key=canary)
    await ana.send("GET", f"/v1/things?ref=https://example.org/{canary}")

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert {(line["method"], line["route"], line["status"]) for line in requests} >= {
        ("POST", "/v1/picks", 201),
        ("POST", "/v1/picks", 422),
        ("GET", "/v1/things", 200),
    }
    assert all(len(line["request"]) == 32 and line["ms"] >= 0 for line in requests)
    assert canary not in log.getvalue()
    assert ana.token not in log.getvalue()


async def test_requests_are_counted_by_route_and_not_by_path(mesh: Mesh, anybody: httpx.AsyncClient) -> None:
    await anybody.get(f"/v1/picks/{uuid4()}")
    await anybody.get(f"/{uuid4()}")

    text = (await anybody.get("/metrics")).text

    assert 'pickly_http_seconds_count{method="GET",route="/v1/picks/{pick_id}",status="404"}' in text
    assert 'route="(none)",status="404"' in text
