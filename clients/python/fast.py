"""An httpx transport on top of aiohttp, for programs that send much.

httpx's own pool looks through all its connections on every request and parses HTTP in Python. With 64
requests in flight one request costs 1.6 ms of CPU with it and 0.12 ms with this (README.md has the table).
"""

import aiohttp
import httpx


class FastTransport(httpx.AsyncBaseTransport):
    """Keeps up to `connections` open; does not read proxies from the environment."""

    def __init__(self, connections: int = 64) -> None:
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._session = self._session or self._open()
        try:
            async with session.request(
                request.method,
                str(request.url),
                data=request.content or None,
                headers=request.headers,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
                return httpx.Response(answer.status, headers=answer.raw_headers, content=content)
        except aiohttp.ClientConnectorError as error:
            raise httpx.ConnectError(str(error)) from error
        except aiohttp.ClientError as error:
            raise httpx.ReadError(str(error) or type(error).__name__) from error

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )
