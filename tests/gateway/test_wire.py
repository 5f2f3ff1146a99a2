"""Answers on a real connection: whole ones leave in one write, and what is unusual is as uvicorn has it."""

import asyncio
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]  # what a loop makes

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.answers import Answer
from gateway.edge import Edge
from gateway.wire import head_of
from tests.gateway.conftest import serving
from tests.gateway.sockets import GET, PATIENCE, connected, exchange
from tests.gateway.test_edge import broken_midway
from tests.gateway.test_server import stopping

END = b"Connection: close\r\n\r\n"
START: Message = {"type": "http.response.start", "status": 200}


def saying(*messages: Message) -> ASGIApp:
    """An application that says the same to everybody."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer as our routes give it."""
    await Answer(200, b"all of it", [(b"x-a", b"b")]).send(send, head=scope["method"] == "HEAD")


async def first_answer(reader: asyncio.StreamReader) -> bytes:
    """Head and body of the answer `whole`."""
    return await reader.readuntil(b"all of it")


async def test_head_and_body_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    write = _SelectorSocketTransport.write

    def noting(transport: asyncio.Transport, data: bytes) -> None:
        written.append(bytes(data))
        write(transport, data)

    async with serving(whole) as port, connected(port) as (reader, writer), asyncio.timeout(PATIENCE):
        monkeypatch.setattr(_SelectorSocketTransport, "write", noting)
        writer.write(GET + b"\r\n")
        said = await first_answer(reader)

    assert [data for data in written if data.startswith(b"HTTP/") or b"all of it" in data] == [said]
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nx-a: b\r\ncontent-length: 9\r\n\r\nall of it" in said


async def test_an_answer_to_head_has_no_body() -> None:
    async with serving(whole) as port:
        said = await exchange(port, GET.replace(b"GET", b"HEAD") + END)

    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 9\r\n" in said
    assert said.endswith(b"\r\n\r\n")


async def test_an_answer_in_pieces_is_chunked() -> None:
    piece: Message = {"type": "http.response.body", "body": b"ab", "more_body": True}
    app = saying({**START, "headers": []}, piece, {"type": "http.response.body", "body": b"c"})

    async with serving(app) as port:
        said = await exchange(port, GET + END)

    assert said.endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


@pytest.mark.parametrize("value", [b"/a\r\nset-cookie: b=c", b"/a\nset-cookie: b=c", b"/a\x00"])
async def test_a_value_cannot_begin_a_header_of_its_own(value: bytes) -> None:
    headers = [(b"location", value), (b"content-length", b"1")]
    app = saying({**START, "headers": headers}, {"type": "http.response.body", "body": b"x"})

    async with serving(app) as port:
        said = await exchange(port, GET + b"\r\n")

    assert said == b"", "nothing is better than a header that somebody slipped in"


@pytest.mark.parametrize("length", [b"0", b"2", b"-1"])
async def test_a_body_of_another_length_than_announced_ends_the_connection(length: bytes) -> None:
    headers = [(b"content-length", length)]
    app = saying({**START, "headers": headers}, {"type": "http.response.body", "body": b"x"})

    async with serving(app) as port, connected(port) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(GET + b"\r\n")
        said = await reader.read()

    assert b"content-length: " + length in said


async def test_what_breaks_between_head_and_body_is_500() -> None:
    async with serving(Edge(broken_midway)) as port:
        said = await exchange(port, GET + END)

    assert said.startswith(b"HTTP/1.1 500 ")


async def test_a_kept_connection_ends_when_it_idles_and_never_while_it_is_in_use() -> None:
    async def at_leisure(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(float(scope["query_string"]))
        await whole(scope, receive, send)

    async with stopping(at_leisure, lambda: None) as (server, port):
        server.config.timeout_keep_alive = 2
        async with connected(port) as (reader, writer), asyncio.timeout(PATIENCE):
            for pause, seconds in ((0, b"0"), (1.2, b"0"), (1.2, b"0"), (0, b"2.5")):
                await asyncio.sleep(pause)
                writer.write(GET.replace(b"limit=1", seconds) + b"\r\n")
                await first_answer(reader)
            rest = await reader.read()

    assert rest == b""


def test_what_uvicorn_has_to_decide_is_left_to_it() -> None:
    plain = [(b"content-length", b"1")]

    assert head_of(200, plain, 1) == b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
    assert head_of(200, [], 0) is None
    assert head_of(200, plain, 2) is None
    assert head_of(200, [*plain, (b"connection", b"close")], 1) is None
    assert head_of(200, [*plain, (b"transfer-encoding", b"chunked")], 1) is None
    assert head_of(200, [*plain, (b"x", b"a\tb")], 1) is not None
    assert head_of(200, [*plain, (b"x", b"a\r\nb: c")], 1) is None


@pytest.mark.parametrize("start", [b"CONNECT example.org:443", b"GET http://", b"GET /\xff"])
async def test_a_target_that_is_no_path_gets_a_problem(
    start: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(whole) as port:
        said = await exchange(port, start + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"/problems/malformed" in said
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
