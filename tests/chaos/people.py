"""People with accounts and tokens, and the way to the gateway."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import aiohttp

from infra.settings import Settings
from infra.tokens import LIFETIME, mint
from schemas.ids import account_id

PEOPLE: Final = 40
ASK_SECONDS: Final = 15.0


@dataclass
class Person:
    """Somebody with an account."""

    handle: str
    token: str = ""
    until: float = 0.0

    @property
    def id(self) -> UUID:
        """The account."""
        return account_id(self.handle)


@dataclass(frozen=True)
class Answer:
    """What the gateway said; `slug` names the problem, if it is one."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, object] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """`stale` for /problems/stale."""
        return str(self.body.get("type", "")).rpartition("/")[2] if self.status >= 400 else ""

    @property
    def version(self) -> int:
        """The version in the entity tag, 0 without one."""
        return int(self.headers.get("ETag", '"0').lstrip('W/"').partition("-")[0].rstrip('"') or 0)


class Door:
    """The gateway over HTTP, as many people see it."""

    def __init__(self, url: str, settings: Settings, seed: int) -> None:
        self._settings = settings
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self.people = [Person(f"chaos{seed}-{number}") for number in range(PEOPLE)]

    async def __aenter__(self) -> "Door":
        self._session = aiohttp.ClientSession(
            self._url,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=ASK_SECONDS),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    def somebody(self, chance: random.Random) -> Person:
        """One of the people."""
        return chance.choice(self.people)

    async def ask(
        self,
        method: str,
        path: str,
        person: Person | None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | None:
        """The answer, or None when there was none: nobody there, cut off, too late."""
        assert self._session is not None
        sent = dict(headers or {})
        if person is not None:
            sent["authorization"] = f"Bearer {self._token(person)}"
        if body is not None:
            sent["content-type"] = "application/json"
        try:
            async with self._session.request(method, path, data=body, headers=sent) as answer:
                shown = await answer.json(content_type=None) if answer.status != 304 else {}
                return Answer(answer.status, answer.headers.copy(), shown or {})
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None

    def _token(self, person: Person) -> str:
        if person.until < time.monotonic():
            person.token = mint(person.handle, settings=self._settings)
            person.until = time.monotonic() + LIFETIME / 2
        return person.token
