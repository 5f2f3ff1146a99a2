"""CORS: any origin without credentials, or exact origins with them; a foreign one is told nothing."""

from dataclasses import replace

import httpx
import pytest
from pydantic import ValidationError

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.services import Services
from tests.gateway.people import probes

OURS = "https://app.example.org"
LISTED = (OURS, "http://localhost:3000")


async def asked(
    services: Services, origins: tuple[str, ...], method: str, path: str, *headers: tuple[str, str]
) -> httpx.Response:
    """One request to a gateway with this setting."""
    listed = services.limits.model_copy(update={"cors_origins": origins})
    transport = httpx.ASGITransport(create_app(replace(services, limits=listed), probes))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.request(method, path, headers=list(headers))


def told(answer: httpx.Response) -> set[str]:
    """The CORS headers of an answer."""
    return {name for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize(
    ("origins", "origin", "allowed", "credentials"),
    [
        (("*",), OURS, "*", None),
        (("*",), "null", "*", None),
        (("*",), None, "*", None),
        (LISTED, OURS, OURS, "true"),
        (LISTED, "http://localhost:3000", "http://localhost:3000", "true"),
        *((LISTED, origin, None, None) for origin in ("https://evil.example", "null", "", None, "*")),
        (LISTED, "https://app.example.org.evil.example", None, None),
        (LISTED, "https://evil.example/https://app.example.org", None, None),
        (LISTED, "http://app.example.org", None, None),
        (LISTED, "https://app.example.org:444", None, None),
        (LISTED, "https://APP.example.org", None, None),
        (LISTED, "http://localhost", None, None),
        ((), OURS, None, None),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/feeds/latest"), ("GET", "/nowhere"), ("OPTIONS", "/v1/picks/x")]
)
async def test_who_may_ask_from_a_browser(
    services: Services,
    origins: tuple[str, ...],
    origin: str | None,
    allowed: str | None,
    credentials: str | None,
    method: str,
    path: str,
) -> None:
    headers = [] if origin is None else [("origin", origin), ("access-control-request-method", "PATCH")]

    answer = await asked(services, origins, method, path, *headers)

    assert answer.headers.get("access-control-allow-origin") == allowed
    assert answer.headers.get("access-control-allow-credentials") == credentials
    assert bool(told(answer)) == (allowed is not None)
    assert ("Origin" in answer.headers.get("vary", "")) == (origins != ("*",))


async def test_the_preflight_of_a_listed_origin_tells_methods_and_headers(services: Services) -> None:
    answer = await asked(
        *(services, LISTED, "OPTIONS", "/v1/picks/x"),
        *(("origin", OURS), ("access-control-request-method", "PATCH")),
    )

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Pickly-After", "Prefer"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )
    assert answer.headers["access-control-max-age"] == "600"


async def test_two_origins_are_none(services: Services) -> None:
    answer = await asked(services, LISTED, "GET", "/nowhere", ("origin", OURS), ("origin", OURS))

    assert told(answer) == set()


@pytest.mark.parametrize(
    "origins",
    [
        *("*,https://a.example", "https://a.example/", "https://a.example/x", "a.example", "null"),
        *("https://*.a.example", "https://A.example", "ftp://a.example", "https://u@a.example"),
    ],
)
def test_what_is_no_origin_is_refused_at_the_start(origins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKLY_GATEWAY_CORS_ORIGINS", origins)

    with pytest.raises(ValidationError, match=r"write"):
        GatewaySettings()
