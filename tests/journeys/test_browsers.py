"""A browser keeps its refresh token in a cookie: on loopback over HTTP, elsewhere over TLS only."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.server import GatewayServer
from gateway.services import open_services
from infra.settings import Settings
from tests.gateway.people import probes, until
from tests.journeys.stack import Stack
from tests.journeys.visitors import PASSWORD, Letterbox, patiently, registers

PLAIN, HOST = "pickly-refresh", "__Host-pickly-refresh"


@pytest.fixture
async def handle(stack: Stack, letters: Letterbox) -> str:
    """Somebody who has an account."""
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        return await registers(client, letters)


@pytest.fixture
async def browser(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on this machine, on a page of ours."""
    ours = {"origin": stack.url, "pickly-csrf": "1"}
    async with httpx.AsyncClient(base_url=stack.url, headers=ours, timeout=30) as client:
        yield client


@pytest.fixture
async def secure(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """The same over TLS, from a gateway with a certificate of its own."""
    certificate = a_certificate(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    trusting = ssl.create_default_context(cafile=str(certificate))
    ours = {"origin": url, "pickly-csrf": "1"}
    async with open_services(Settings(), limits := GatewaySettings()) as services:
        server = GatewayServer(create_app(services, probes), limits, lambda: None)
        server.config.ssl_certfile, server.config.ssl_keyfile = certificate, certificate
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        async with httpx.AsyncClient(base_url=url, headers=ours, verify=trusting, timeout=30) as client:
            yield client
        server.should_exit = True
        await serving


def a_certificate(folder: Path) -> Path:
    """A key and a certificate of it for 127.0.0.1, good for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


async def signs_in(browser: httpx.AsyncClient, handle: str) -> httpx.Response:
    """Sign in as a browser does."""
    body = {"identifier": handle, "password": PASSWORD, "delivery": "cookie"}
    answer = await patiently(browser, "POST", "/v1/auth/sessions", body)
    assert answer.status_code == 201, answer.text
    return answer


async def refreshes(browser: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """Renew the tokens with nothing but the cookie."""
    return await patiently(browser, "POST", "/v1/auth/tokens", {}, **headers)


async def test_a_browser_stays_signed_in_by_its_cookie(browser: httpx.AsyncClient, handle: str) -> None:
    signed = await signs_in(browser, handle)
    first = browser.cookies[PLAIN]

    renewed = await refreshes(browser)

    assert "refresh_token" not in signed.json()
    assert "refresh_token" not in renewed.json()
    assert renewed.status_code == 200
    assert browser.cookies[PLAIN] != first


async def test_from_another_page_the_cookie_does_nothing(browser: httpx.AsyncClient, handle: str) -> None:
    await signs_in(browser, handle)
    before = browser.cookies[PLAIN]

    refused = await refreshes(browser, origin="https://evil.example")

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/csrf-refused")
    assert browser.cookies[PLAIN] == before
    assert (await refreshes(browser)).status_code == 200


async def test_signing_out_takes_the_cookie_away(browser: httpx.AsyncClient, handle: str) -> None:
    signed = await signs_in(browser, handle)

    out = await browser.delete(
        "/v1/auth/sessions/current",
        headers={"authorization": f"Bearer {signed.json()['access_token']}", "prefer": "wait=10"},
    )

    assert out.status_code == 200
    assert PLAIN not in browser.cookies


async def test_a_refused_refresh_takes_the_cookie_away(browser: httpx.AsyncClient, handle: str) -> None:
    await signs_in(browser, handle)
    first = browser.cookies[PLAIN]
    await refreshes(browser)
    await refreshes(browser)
    browser.cookies.clear()
    browser.cookies.set(PLAIN, first, domain="127.0.0.1", path="/")

    replayed = await refreshes(browser)

    assert (replayed.status_code, replayed.json()["type"]) == (401, "/problems/refresh-refused")
    assert PLAIN not in browser.cookies


async def test_over_tls_it_is_a_host_cookie(secure: httpx.AsyncClient, handle: str) -> None:
    signed = await signs_in(secure, handle)
    first = secure.cookies[HOST]

    renewed = await refreshes(secure)

    cookie = signed.headers["set-cookie"]
    assert cookie.startswith(f"{HOST}=")
    assert cookie.endswith("; Path=/; Max-Age=5184000; HttpOnly; SameSite=Strict; Secure")
    assert renewed.status_code == 200
    assert secure.cookies[HOST] != first
    assert PLAIN not in secure.cookies
