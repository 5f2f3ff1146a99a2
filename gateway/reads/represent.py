"""What a read gives back: bytes, an entity tag, and who may keep a copy."""

import hashlib
from dataclasses import dataclass
from typing import Final

from gateway.answers import JSON, NO_STORE, Answer, Header

PUBLIC: Final[Header] = (b"cache-control", b"public, no-cache")
PRIVATE: Final[Header] = (b"cache-control", b"private, no-cache")
VARY: Final[Header] = (b"vary", b"Authorization, Pickly-After")


@dataclass(frozen=True, slots=True)
class Representation:
    """Ready JSON. Without an entity tag it is never kept."""

    body: bytes
    etag: bytes | None = None
    headers: tuple[Header, ...] = ()
    public: Header = PUBLIC

    def answer(self, *, status: int = 200, private: bool = False, keep: bool = True) -> Answer:
        """The whole answer; `private` when a token came with the request: it may be for its owner only."""
        if self.etag is None or not keep:
            return Answer(status, self.body, [JSON, NO_STORE, *self._tag(), *self.headers])
        return Answer(
            status, self.body, [JSON, *self._tag(), PRIVATE if private else self.public, VARY, *self.headers]
        )

    def not_modified(self, *, private: bool) -> Answer:
        """What If-None-Match asks for when nothing has changed (RFC 9110 section 15.4.5)."""
        return Answer(304, headers=[*self._tag(), PRIVATE if private else self.public, VARY])

    def matches(self, if_none_match: bytes) -> bool:
        """Weak comparison with a list of entity tags (RFC 9110 section 13.1.2)."""
        if self.etag is None:
            return False
        tags = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
        return b"*" in tags or self.etag.removeprefix(b"W/") in tags

    def _tag(self) -> list[Header]:
        return [] if self.etag is None else [(b"etag", self.etag)]


def subject(body: bytes, version: int) -> Representation:
    """One subject: `"<version>-<hash of the rest>"`, of which If-Match compares the version only."""
    return Representation(body, b'"%d-%b"' % (version, _hash(body)))


def published(body: bytes, seconds: int) -> Representation:
    """What is the same for everybody, and may be kept for so many seconds without asking."""
    return Representation(
        body, b'"%b"' % _hash(body), public=(b"cache-control", b"public, max-age=%d" % seconds)
    )


def listing(items: list[bytes], following: str | None = None, *, paged: bool = True) -> Representation:
    """A page of ready items, and the cursor of the next one."""
    end = b"" if not paged else b',"next":null' if following is None else b',"next":"%b"' % following.encode()
    body = b'{"items":[%b]%b}' % (b",".join(items), end)
    return Representation(body, b'W/"%b"' % _hash(body))


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).hexdigest().encode()
