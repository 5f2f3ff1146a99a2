"""CORS (the Fetch standard, section 3.2): what a browser lets pages of other origins ask and see here."""

from collections.abc import Sequence
from typing import Final

from gateway.answers import Header
from gateway.config import ANY_ORIGIN

EXPOSED: Final[Header] = (
    b"access-control-expose-headers",
    b"Content-Location, ETag, Location, Pickly-Command, Preference-Applied, RateLimit, RateLimit-Policy, "
    b"Retry-After, X-Request-Id",
)
READ: Final[Header] = (
    b"access-control-allow-headers",
    b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Pickly-After, Pickly-CSRF, "
    b"Prefer",
)
KEPT: Final[Header] = (b"access-control-max-age", b"600")
CREDENTIALS: Final[Header] = (b"access-control-allow-credentials", b"true")
VARY: Final[Header] = (b"vary", b"Origin")
ANYBODY: Final = ((b"access-control-allow-origin", b"*"), EXPOSED)
"""Without cookies any origin may ask: tokens travel in a header that no browser adds by itself."""


class Cors:
    """Who may ask: `*`, or exact origins, which may send cookies too."""

    def __init__(self, origins: Sequence[str] = (ANY_ORIGIN,)) -> None:
        self._anybody = ANY_ORIGIN in origins
        self._known = {
            origin.encode(): ((b"access-control-allow-origin", origin.encode()), CREDENTIALS, EXPOSED, VARY)
            for origin in origins
        }

    def headers(self, request: Sequence[Header]) -> Sequence[Header]:
        """What any answer to a request with these headers says; nothing but Vary to an unknown origin."""
        if self._anybody:
            return ANYBODY
        origins = [value for name, value in request if name == b"origin"]
        return self._known.get(origins[0], (VARY,)) if len(origins) == 1 else (VARY,)


def preflight(allowed: Sequence[Header], answer: Sequence[Header]) -> Sequence[Header]:
    """What an answer to OPTIONS adds, if its origin is `allowed`: the methods in its Allow, our headers."""
    methods = [value for name, value in answer if name == b"allow"]
    if not methods or allowed == (VARY,):
        return ()
    return ((b"access-control-allow-methods", methods[0]), READ, KEPT)
