"""Servers of this folder's own, since its tests kill them, and people who use Pickly over HTTP."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from infra.local.servers import Servers, start_servers
from infra.settings import Settings
from infra.tokens import mint
from tests.journeys.stack import Stack
from tests.journeys.visitors import Letterbox


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    started = start_servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.stop()


MANY = "1000000/60"
"""Everybody here comes from one address."""
LIMITS = {f"PICKLY_GATEWAY_{name}_LIMIT": MANY for name in ("SIGN_IN", "REGISTRATION", "TOKEN_REFRESH")}


@pytest.fixture(scope="package")
def letters() -> Iterator[Letterbox]:
    """Where mail goes."""
    box = Letterbox()
    yield box
    box.close()


@pytest.fixture(scope="package")
def stack(servers: Servers, letters: Letterbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything, running."""
    mail = {"PICKLY_SMTP_HOST": "127.0.0.1", "PICKLY_SMTP_PORT": str(letters.port)}
    made = Stack(dict(servers.env) | mail | LIMITS, tmp_path_factory.mktemp("logs"))
    made.start_everything()
    yield made
    made.stop()


class Person:
    """Somebody with an account, and a client that signs its requests."""

    def __init__(self, stack: Stack) -> None:
        self.handle = f"p{uuid4().hex[:12]}"
        settings = Settings(secrets=Path(stack.env["PICKLY_SECRETS"]))
        token = mint(self.handle, settings=settings)
        self.http = httpx.AsyncClient(
            base_url=stack.url, headers={"authorization": f"Bearer {token}"}, timeout=30
        )

    async def publishes(self, ref: str, **fields: object) -> httpx.Response:
        """Publish a pick and wait until it is visible."""
        body = {"thing": {"ref": ref, "kind": "film", "title": "A film"}, **fields}
        return await self.http.post("/v1/picks", json=body, headers={"prefer": "wait=10"})


@pytest.fixture
async def person(stack: Stack) -> AsyncIterator[Callable[[], Person]]:
    """Makes people."""
    people: list[Person] = []

    def make() -> Person:
        people.append(Person(stack))
        return people[-1]

    yield make
    for each in people:
        await each.http.aclose()


@pytest.fixture
def ref() -> str:
    """A thing that nobody has picked yet."""
    return f"movielens:{uuid4().hex}"
