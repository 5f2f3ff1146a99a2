"""Pages with one exact path: the API's description, its reference, and the probes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answers import JSON, Answer, Header
from gateway.openapi import openapi
from gateway.routing.declared import DeclaredRoute

FOLDER: Final = Path(__file__).parent / "docs"
CACHED: Final[Header] = (b"cache-control", b"public, max-age=300")
STRICT: Final[Header] = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'",
)
TYPES: Final = {".html": b"text/html", ".css": b"text/css", ".js": b"text/javascript"}


class Page:
    """Answers the same to everybody."""

    def __init__(self, status: int, body: bytes, headers: Sequence[Header]) -> None:
        self._status, self._body, self._headers = status, body, headers

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer GET and HEAD."""
        await Answer(self._status, self._body, list(self._headers)).send(send, head=scope["method"] == "HEAD")


def pages(routes: Sequence[DeclaredRoute], probes: ASGIApp) -> Mapping[str, ASGIApp]:
    """All pages by path. `probes` answers /healthz, /readyz and /metrics."""
    return {
        "/": Page(307, b"", [(b"location", b"/docs")]),
        "/openapi.json": Page(200, orjson.dumps(openapi(routes)), [JSON, CACHED]),
        "/docs": _file("index.html"),
        "/docs/reference.js": _file("reference.js"),
        "/docs/reference.css": _file("reference.css"),
        "/healthz": probes,
        "/readyz": probes,
        "/metrics": probes,
    }


def _file(name: str) -> Page:
    path = FOLDER / name
    kind = (b"content-type", TYPES[path.suffix] + b"; charset=utf-8")
    return Page(200, path.read_bytes(), [kind, CACHED, STRICT])
