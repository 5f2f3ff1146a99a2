"""From what a message is about (`ce_subject`) to the page that shows it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.reads import accounts, picks, sessions, things
from gateway.reads.database import Database
from gateway.reads.represent import Representation

Show = Callable[[Database, UUID, UUID | None], Awaitable[Representation | None]]


async def _thing(database: Database, thing_id: UUID, _viewer: UUID | None) -> Representation | None:
    return await things.one(database, thing_id)


PAGES: Final[Mapping[str, tuple[str, Show]]] = {
    "accounts": ("/v1/accounts", accounts.one),
    "roles": ("/v1/admin/accounts", accounts.for_staff),
    "picks": ("/v1/picks", picks.one),
    "reactions": ("/v1/picks", picks.one),  # <pick>/<account>/<kind>: seen on the pick
    "things": ("/v1/things", _thing),
    "sessions": ("/v1/auth/sessions", sessions.one),
}
"""By the plural noun that begins the subject: the page's path, and what reads it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A page that shows one subject."""

    path: str
    id: UUID
    _show: Show

    async def read(self, database: Database, viewer: UUID | None) -> Representation | None:
        """What it shows to `viewer` now."""
        return await self._show(database, self.id, viewer)


def path_of(subject: str) -> str | None:
    """The path of the page that shows `picks/<id>` and the like; None where there is none."""
    noun, _, key = subject.partition("/")
    page = PAGES.get(noun)
    return f"{page[0]}/{key.partition('/')[0]}" if page is not None and key else None


def resource_of(subject: str) -> Resource | None:
    """The page of `picks/<id>` or `reactions/<pick>/<account>/<kind>`; None where there is none."""
    path = path_of(subject)
    if path is None:
        return None
    noun, key, *_ = subject.split("/")
    return Resource(path, UUID(key), PAGES[noun][1])
