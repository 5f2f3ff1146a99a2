"""What two readers could read two ways is refused, and nothing after it is read."""

import pytest

from tests.gateway.sockets import GET, HEAD, exchange

AMBIGUOUS = {
    "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nnull",
    "a length that is none": HEAD + b"Content-Length: +4\r\n\r\nnull",
    "a negative length": HEAD + b"Content-Length: -4\r\n\r\nnull",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a folded header": GET + b"X-A: b\r\n c\r\n\r\n",
    "a space before the colon": GET + b"X-A : b\r\n\r\n",
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "NUL in a header": GET + b"X-A: \x00\r\n\r\n",
    "a bare line feed": b"GET /v1/feeds/latest HTTP/1.1\nHost: a\n\n",
    "a chunk size that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_what_two_readers_could_read_two_ways_is_400_and_the_end(port: int, data: bytes) -> None:
    said = await exchange(port, data + GET + b"\r\n")

    final = said[said.rindex(b"HTTP/1.1 ") :]
    assert final.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in final
    assert b"connection: close" in final.lower()
