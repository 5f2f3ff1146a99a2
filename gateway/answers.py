"""An HTTP answer as a value, and how it goes out at ASGI level."""

from dataclasses import dataclass, field
from typing import Final

from starlette.types import Send

Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
PROBLEM_JSON: Final[Header] = (b"content-type", b"application/problem+json")
NO_STORE: Final[Header] = (b"cache-control", b"no-store")
BODILESS: Final = frozenset({204, 304})
COMPLETE: Final = "body_complete"
"""In the scope's `state` as soon as the server has all of the request."""


@dataclass(slots=True)
class Answer:
    """Status, body and headers; the content length is added when it is sent."""

    status: int
    body: bytes = b""
    headers: list[Header] = field(default_factory=list)

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Write it out; for HEAD with the headers of the GET only (RFC 9110 section 9.3.2)."""
        headers = self.headers
        if self.status not in BODILESS:
            headers = [*headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})
