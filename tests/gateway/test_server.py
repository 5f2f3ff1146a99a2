"""The server on a real socket: slow, greedy and ambiguous clients end, and others do not notice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import ASGIApp

from gateway.config import GatewaySettings
from gateway.server import GatewayServer
from tests.gateway.conftest import IMPATIENT, serving
from tests.gateway.people import Person, new_pick, until
from tests.gateway.sockets import GET, HEAD, PATIENCE, connected, drip, exchange, post


async def test_a_silent_connection_is_closed(port: int) -> None:
    assert await exchange(port, b"") == b""


async def test_a_head_that_does_not_end_is_closed(port: int) -> None:
    assert (await exchange(port, GET)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("drop", [b"X-A: b\r\n", b"\r\n", b"G"], ids=["headers", "empty lines", "letters"])
async def test_a_head_that_drips_is_closed(port: int, drop: bytes) -> None:
    start = {b"X-A: b\r\n": GET, b"\r\n": b"", b"G": b""}[drop]

    said = await drip(port, start, drop)

    assert said == b"" or said.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))


async def test_a_body_that_drips_is_refused(port: int, ana: Person) -> None:
    said = await drip(port, await post(ana) + b"Content-Length: 100000\r\n\r\n", b" ")

    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"/problems/request-timeout" in said


async def test_a_body_that_drips_after_its_answer_is_cut(port: int) -> None:
    said = await drip(port, HEAD + b"Content-Length: 100000\r\n\r\n", b" ")

    assert said.startswith(b"HTTP/1.1 401 ")


async def test_an_idle_kept_connection_that_drips_is_cut(port: int) -> None:
    said = await drip(port, GET + b"\r\n", b"\r\n")

    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.count(b"HTTP/1.1 ") - said.count(b"HTTP/1.1 408 ") == 1


@pytest.mark.parametrize("size", [300_000, 5_000_000])
async def test_a_body_that_is_too_large_gets_an_answer_and_the_connection_goes_on(
    port: int, ana: Person, size: int
) -> None:
    headers = {"authorization": f"Bearer {ana.token}", "content-type": "application/json"}

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 10_000):
            yield b" " * 10_000

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        declared = await client.post("/v1/picks", content=b" " * size, headers=headers)
        chunked = await client.post("/v1/picks", content=pieces(), headers=headers)
        after = await client.get("/v1/feeds/latest?limit=1")

    assert [declared.status_code, chunked.status_code, after.status_code] == [413, 413, 200]


async def test_a_body_without_end_is_cut(port: int, ana: Person) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    async with connected(port) as (_, writer), asyncio.timeout(PATIENCE):
        writer.write(await post(ana) + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            await for_ever(writer, chunk)


async def for_ever(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    """Send the same again and again."""
    while True:
        writer.write(chunk)
        await writer.drain()


async def test_a_chunked_body_is_read(port: int, ana: Person) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in b'{"thing":1}':
            yield bytes([byte])

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        headers = {"authorization": f"Bearer {ana.token}", "content-type": "application/json"}
        answer = await client.post("/v1/picks", content=pieces(), headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "thing")


@pytest.mark.parametrize("header", [b"X: " + b"x" * 20_000, b"X: y\r\n" * 4_000], ids=["one", "many"])
async def test_a_head_over_16_kib_is_431(port: int, header: bytes) -> None:
    whole = await exchange(port, GET + header.removesuffix(b"\r\n") + b"\r\n\r\n")
    cut = await exchange(port, GET + header)

    for said in (whole, cut):
        assert said.startswith(b"HTTP/1.1 431 ")
        assert b"application/problem+json" in said
        assert b"connection: close" in said.lower()


async def test_requests_in_a_row_on_one_connection_are_answered_in_order(port: int) -> None:
    second = GET.replace(b"/v1/feeds/latest", b"/nowhere") + b"Connection: close\r\n\r\n"

    said = await exchange(port, GET + b"\r\n" + second)

    assert said.index(b"HTTP/1.1 200 ") < said.index(b"HTTP/1.1 404 ")


async def test_a_hundred_slow_clients_do_not_keep_others_out(port: int) -> None:
    slow = [asyncio.create_task(drip(port, GET, b"X-A: b\r\n")) for _ in range(100)]
    await asyncio.sleep(0)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(20):
            assert (await client.get("/v1/feeds/latest?limit=1")).status_code == 200

    await asyncio.gather(*slow)


@pytest.mark.parametrize(
    "limits",
    [
        GatewaySettings(connections=3, header_seconds=PATIENCE),
        GatewaySettings(connections_per_address=3, header_seconds=PATIENCE),
    ],
    ids=["all", "one address"],
)
async def test_a_connection_too_many_is_refused_and_later_ones_are_not(
    app: ASGIApp, limits: GatewaySettings
) -> None:
    async with serving(app, limits) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]

        refused = await exchange(port, b"")
        for _, writer in held:
            writer.close()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answers = [await client.get("/v1/feeds/latest?limit=1") for _ in range(3)]

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"/problems/busy" in refused
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_a_stop_lets_requests_end_and_takes_no_more(app: ASGIApp, ana: Person) -> None:
    stopped: list[bool] = []

    def note() -> None:
        stopped.append(True)

    async with stopping(app, note) as (server, port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            headers = {"authorization": f"Bearer {ana.token}", "prefer": "wait=1"}
            under_way = asyncio.create_task(client.post("/v1/picks", json=new_pick(), headers=headers))
            await until(lambda: len(server.server_state.tasks) > 0)
            server.should_exit = True

            answer = await under_way
    assert answer.status_code in (201, 202)
    assert stopped == [True]
    with pytest.raises(OSError, match=r"Connect|refused"):
        await asyncio.open_connection("127.0.0.1", port)


@asynccontextmanager
async def stopping(app: ASGIApp, note: Callable[[], None]) -> AsyncIterator[tuple[GatewayServer, int]]:
    """A server and its port; at the end it has stopped."""
    server = GatewayServer(app, IMPATIENT, note)
    server.config.port = 0
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield server, server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task
