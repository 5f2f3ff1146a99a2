"""People who use the API in tests, and what they send."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from prometheus_client import make_asgi_app
from starlette.types import ASGIApp

from infra.settings import Settings
from infra.tokens import mint
from schemas.ids import account_id
from schemas.things import NewThing

probes = make_asgi_app()
WAIT = {"prefer": "wait=10"}


@dataclass(frozen=True)
class Person:
    """An account and its token."""

    app: ASGIApp
    handle: str
    account: UUID
    token: str

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request as this person; underscores in names of headers become dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("authorization", f"Bearer {self.token}")
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if content is not None:
            named.setdefault("content-type", "application/json")
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, content=content, headers=named, timeout=30)

    async def publish(self, body: Any = None, **headers: str) -> httpx.Response:
        """Publish a pick and wait until it is visible."""
        return await self.send("POST", "/v1/picks", body or new_pick(), **(WAIT | headers))


def maker(app: ASGIApp, settings: Settings) -> Callable[[], Person]:
    """Makes people with tokens of the local stack."""

    def make() -> Person:
        handle = f"p{uuid4().hex}"
        return Person(app, handle, account_id(handle), mint(handle, settings=settings))

    return make


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return when the condition holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.01)


def new_pick(**fields: Any) -> dict[str, Any]:
    """A pick of a thing that nobody has picked yet."""
    thing = {"ref": f"https://example.org/{uuid4().hex}", "kind": "page", "title": "A page"}
    return {"thing": thing} | fields


def slug(answer: httpx.Response) -> str:
    """The slug of a problem; fails when the answer is none."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told: str = answer.json()["type"]
    assert answer.json()["status"] == answer.status_code
    return told.removeprefix("/problems/")


def a_thing(title: str = "A") -> NewThing:
    """A thing that nobody knows."""
    return NewThing(ref=f"https://example.org/{uuid4().hex}", kind="page", title=title)
