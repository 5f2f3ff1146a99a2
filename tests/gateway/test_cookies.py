"""A browser's refresh token: where it may lie, and from whose pages it counts."""

from dataclasses import replace

import pytest

from gateway import cookies
from gateway.config import GatewaySettings
from gateway.problems import ProblemError
from gateway.routing.incoming import Incoming
from gateway.services import Services

LOOPBACK, PUBLIC = "127.0.0.1:8000", "pickly.example"
OURS = {"origin": "https://pickly.example", "pickly-csrf": "1"}


async def nothing() -> dict[str, object]:
    raise AssertionError


def request(
    services: Services, scheme: str = "https", host: str = PUBLIC, origins: str = "*", **headers: str
) -> Incoming:
    """A request; underscores in names of headers become dashes."""
    limits = GatewaySettings.model_validate({"cors_origins": origins})
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"headers": raw, "client_scheme": scheme, "services": replace(services, limits=limits)}
    return Incoming(scope, nothing)


def test_over_tls_the_cookie_is_for_this_host_alone(services: Services) -> None:
    incoming = request(services)

    fields = cookies.browser_or_app({"refresh_token": "abc", "handle": "ana"}, "cookie", incoming)

    assert fields == {"handle": "ana"}
    cookie = b"__Host-pickly-refresh=abc; Path=/; Max-Age=5184000; HttpOnly; SameSite=Strict; Secure"
    assert incoming.added == [(b"set-cookie", cookie)]


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.9.9.9"])
def test_on_this_machine_a_plain_one_will_do(services: Services, host: str) -> None:
    incoming = request(services, "http", host)

    cookies.browser_or_app({"refresh_token": "abc"}, cookies.deliverable("cookie", incoming), incoming)

    cookie = b"pickly-refresh=abc; Path=/; Max-Age=5184000; HttpOnly; SameSite=Strict"
    assert incoming.added == [(b"set-cookie", cookie)]


@pytest.mark.parametrize("host", [PUBLIC, "192.168.1.7:8000", "localhost.evil.example", "", "[", "10.0.0.1"])
def test_elsewhere_http_carries_none(services: Services, host: str) -> None:
    incoming = request(services, "http", host, cookie="pickly-refresh=a; __Host-pickly-refresh=b", **OURS)

    with pytest.raises(ProblemError, match="invalid"):
        cookies.deliverable("cookie", incoming)
    assert cookies.deliverable("body", incoming) == "body"
    assert cookies.refresh_token(incoming) is None
    assert cookies.forgotten(incoming) == []


def test_an_app_gets_its_token_in_the_body(services: Services) -> None:
    incoming = request(services)

    assert cookies.browser_or_app({"refresh_token": "abc"}, "body", incoming) == {"refresh_token": "abc"}
    assert cookies.browser_or_app({"challenge": "x"}, "cookie", incoming) == {"challenge": "x"}
    assert incoming.added == []


@pytest.mark.parametrize(
    "headers",
    [
        OURS,
        {"sec-fetch-site": "same-origin", "pickly-csrf": "1"},
        {"origin": "https://app.example", "pickly-csrf": "1", "origins": "https://app.example"},
    ],
)
def test_it_counts_from_our_own_pages(services: Services, headers: dict[str, str]) -> None:
    incoming = request(services, cookie="theme=dark; __Host-pickly-refresh=abc; x=y", **headers)

    assert cookies.refresh_token(incoming) == "abc"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"pickly-csrf": "1"},
        {"origin": "https://pickly.example"},
        {"sec-fetch-site": "same-origin"},
        OURS | {"pickly-csrf": "yes"},
        OURS | {"origin": "https://evil.example"},
        OURS | {"origin": "http://pickly.example"},
        OURS | {"origin": "https://pickly.example:8443"},
        OURS | {"origin": "null"},
        OURS | {"origin": "*"},
        {"sec-fetch-site": "same-site", "pickly-csrf": "1"},
        {"sec-fetch-site": "none", "pickly-csrf": "1"},
    ],
)
def test_it_counts_from_nobody_elses(services: Services, headers: dict[str, str]) -> None:
    incoming = request(services, cookie="__Host-pickly-refresh=abc", **headers)

    with pytest.raises(ProblemError, match="csrf-refused"):
        cookies.refresh_token(incoming)


def test_a_name_of_the_other_scheme_does_not_count(services: Services) -> None:
    assert cookies.refresh_token(request(services, cookie="pickly-refresh=abc", **OURS)) is None
    assert (
        cookies.refresh_token(request(services, "http", LOOPBACK, cookie="__Host-pickly-refresh=a")) is None
    )


def test_a_browser_forgets_only_what_it_has_sent(services: Services) -> None:
    sent = request(services, cookie="__Host-pickly-refresh=abc")

    cookie = b"__Host-pickly-refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
    assert cookies.forgotten(sent) == [(b"set-cookie", cookie)]
    assert cookies.forgotten(request(services)) == []
