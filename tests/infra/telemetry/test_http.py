"""The server span of a request, around an application of two routes."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.answers import Answer
from gateway.config import GatewaySettings
from gateway.edge import Edge
from gateway.problems import ProblemError
from infra.telemetry.context import Context, current, root
from tests.infra.telemetry.conftest import exporting
from tests.infra.telemetry.receiver import Collector

SECRET = "S3cr3t-Pa55phrase"


class App:
    """Answers /ok, breaks at /broken, is away at /away; remembers which span was current."""

    seen: Context | None = None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.seen = current.get()
        scope["template"] = scope["path"]
        if scope["path"] == "/broken":
            raise RuntimeError(SECRET)
        if scope["path"] == "/away":
            raise ProblemError("unavailable", "away")
        await Answer(200).send(send, head=False)


async def ask(path: str, *, trust: bool = False, **headers: str) -> tuple[httpx.Response, Context]:
    """One request to a gateway's edge, and the span that it was answered in."""
    app = App()
    transport = httpx.ASGITransport(Edge(app, GatewaySettings(trust_traceparent=trust)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get(path, headers=headers)
    assert app.seen is not None
    assert current.get() is None
    return answer, app.seen


async def test_a_request_begins_a_trace_under_its_own_id(collector: Collector) -> None:
    with exporting(collector.endpoint, 1):
        answer, context = await ask(f"/ok?q={SECRET}", user_agent=SECRET)

    [span] = collector.spans
    assert (span.name, span.kind, span.parent, span.failed) == ("GET /ok", "server", "", False)
    assert (span.trace_id, span.span_id) == (answer.headers["x-request-id"], context.span_id)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/ok",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "url.scheme": "http",
    }


@pytest.mark.parametrize(
    ("path", "status", "error"), [("/broken", 500, "RuntimeError"), ("/away", 503, "503")]
)
async def test_a_5xx_is_exported_although_nothing_is_sampled(
    collector: Collector, path: str, status: int, error: str
) -> None:
    with exporting(collector.endpoint, 0):
        await ask("/ok")
        _, context = await ask(path)

    [span] = collector.spans
    assert span.failed
    assert span.span_id == context.span_id
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes["error.type"] == error
    assert SECRET not in span.text + str(span)


@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.parametrize("sampled", [True, False])
async def test_a_clients_trace_is_joined_and_decides_on_sampling_only_where_it_is_trusted(
    collector: Collector, trust: bool, sampled: bool
) -> None:
    client = root(sampled=sampled)

    with exporting(collector.endpoint, 0 if sampled else 1):
        _, context = await ask("/ok", trust=trust, traceparent=client.header)

    assert context.trace_id == client.trace_id
    assert context.sampled is (sampled if trust else not sampled)
    assert [span.parent for span in collector.spans] == [client.span_id] * context.sampled


@pytest.mark.parametrize(
    "header", ["", "x" * 55, f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'A' * 32}-{'1' * 16}-01"]
)
async def test_what_is_no_traceparent_begins_a_trace(header: str) -> None:
    answer, context = await ask("/ok", traceparent=header)

    assert context.trace_id == answer.headers["x-request-id"]
    assert not context.sampled
