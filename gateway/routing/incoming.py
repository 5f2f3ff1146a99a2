"""A request as a route sees it: headers, body within its bounds, and what the gateway runs on."""

import asyncio
from typing import Final

from starlette.types import Receive, Scope

from gateway.answers import COMPLETE, Header
from gateway.problems import ProblemError
from gateway.services import Services

MAX_BODY: Final = 256 * 1024
ONCE: Final = frozenset(
    {b"authorization", b"content-type", b"content-length", b"idempotency-key", b"if-match", b"pickly-after"}
)
"""Headers that may not come twice: two readers could take different ones."""


class Incoming:
    """One request. `added` are headers for its answer, whatever that will be."""

    __slots__ = ("_receive", "added", "headers", "scope", "services")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self.services: Services = scope["services"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.added: list[Header] = []

    def merge_headers(self) -> None:
        """Join repeated headers (RFC 9110 section 5.3); raises ProblemError (400) for those of `ONCE`."""
        if len(self.headers) == len(self.scope["headers"]):
            return
        self.headers = {}
        for name, value in self.scope["headers"]:
            if name in self.headers and name in ONCE:
                raise ProblemError("malformed", f"The header {name.decode()} may come once only.")
            before = self.headers.get(name)
            self.headers[name] = value if before is None else before + b", " + value

    async def body(self) -> bytes:
        """All of the body; raises ProblemError when it is too large, too slow or broken off."""
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > MAX_BODY:
            raise _too_large()
        if self.scope.get("state", {}).get(COMPLETE):  # no deadline for what is here
            return await self._read()
        try:
            async with asyncio.timeout(self.services.limits.body_seconds):
                return await self._read()
        except TimeoutError:
            raise ProblemError(
                "request-timeout",
                f"The body was not complete after {self.services.limits.body_seconds:.0f} s.",
                headers=[(b"connection", b"close")],
            ) from None

    async def _read(self) -> bytes:
        message = await self._receive()
        if not message.get("more_body"):
            body: bytes = message.get("body", b"")
            if len(body) > MAX_BODY:
                raise _too_large()
            return body
        parts = [message["body"]]
        while message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ProblemError("malformed", "The connection ended before the body did.")
            parts.append(message["body"])
            if sum(map(len, parts)) > MAX_BODY:
                raise _too_large()
        return b"".join(parts)


def _too_large() -> ProblemError:
    return ProblemError("too-large", f"A body has at most {MAX_BODY // 1024} KiB.")
