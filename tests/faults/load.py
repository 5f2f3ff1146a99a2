"""People who publish, change and react over HTTP and repeat what has no clear answer; with a ledger."""

import asyncio
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx

from infra.settings import Settings
from infra.tokens import mint
from schemas import ids
from schemas.topics import PICK_COMMANDS, REACTION_COMMANDS
from tests.chaos.ledger import Attempt, Outcome
from tests.faults.world import World, until

PEOPLE = 6
ANSWERED_WITHIN = 10.0
"""Seconds; two are promised. What takes longer is a failure of the test, not of the request."""
FINAL = (200, 202)


@dataclass(frozen=True)
class Wish:
    """One request of a person; `seq` counts the wishes of its key."""

    method: str
    path: str
    type: str
    topic: str
    key: str
    seq: int
    body: bytes = b""
    if_match: int | None = None


def life(pick: UUID, me: UUID, ref: str, *, deleting: bool = True) -> Iterator[Wish]:
    """What a person does with one film: every command there is, each in the state that the last one left."""
    path, key, topic = f"/v1/picks/{pick}", str(pick), PICK_COMMANDS.name
    heart, edge = f"{path}/reactions/love", f"{pick}/{me}/love"
    film = json.dumps({"thing": {"ref": ref, "kind": "film", "title": ref}, "rating": 2.5}).encode()
    yield Wish("PUT", heart, "React", REACTION_COMMANDS.name, edge, 1)
    yield Wish("POST", "/v1/picks", "PublishPick", topic, key, 1, film)
    yield Wish("PATCH", path, "EditPick", topic, key, 2, b'{"note":"once"}', if_match=1)
    yield Wish("DELETE", heart, "Unreact", REACTION_COMMANDS.name, edge, 2)
    if not deleting:
        return
    yield Wish("DELETE", path, "DeletePick", topic, key, 3)
    yield Wish("POST", f"{path}/restore", "RestorePick", topic, key, 4)
    yield Wish("PATCH", path, "EditPick", topic, key, 5, b'{"rating":null}', if_match=4)


@dataclass
class Load:
    """`answers` counts statuses, 0 for no answer; `slowest` is the longest that anybody waited for one.
    `deleting`: whether people also delete what they published, and bring it back."""

    world: World
    seed: int = 1
    deleting: bool = True
    acked: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """People at work; in the end each finishes what he wished last, and all must be well."""
        self.enough.clear()
        async with httpx.AsyncClient(base_url=self.world.stack.url, timeout=ANSWERED_WITHIN) as http:
            work = [asyncio.create_task(self._person(http, n)) for n in range(PEOPLE)]
            try:
                yield
            finally:
                self.enough.set()
                await asyncio.gather(*work)

    async def goes_on(self, commands: int = 60) -> None:
        """Wait until so many more are acknowledged."""
        goal = self.acked + commands
        await until(lambda: self.acked >= goal, f"{commands} more are acknowledged; {self.answers}")

    async def _person(self, http: httpx.AsyncClient, number: int) -> None:
        handle, chance = f"f{uuid4().hex[:12]}", random.Random(f"{self.seed}/{number}")
        token = mint(handle, settings=Settings(secrets=self.world.settings.secrets))
        me = ids.account_id(handle)
        while not self.enough.is_set():
            ref = f"movielens:{uuid4().hex}"
            for wish in life(ids.pick_id(me, ids.thing_id(ref)), me, ref, deleting=self.deleting):
                await self._insist(http, token, wish, twice=chance.random() < 0.1)
                await asyncio.sleep(0.01)

    async def _insist(self, http: httpx.AsyncClient, token: str, wish: Wish, *, twice: bool) -> None:
        """Until it is acknowledged; some go on although it is."""
        headers = {"authorization": f"Bearer {token}", "idempotency-key": uuid4().hex}
        if wish.if_match is not None:
            headers["if-match"] = f'"{wish.if_match}"'
        if wish.body:
            headers["content-type"] = "application/json"
        told: list[tuple[float, Outcome]] = []
        while not told or told[-1][1] != "acked" or (twice and len(told) < 2):
            at = time.time()
            answer = await self._ask(http, wish, headers)
            if answer is not None and answer.status_code in FINAL:
                id = UUID(answer.headers["pickly-command"])
                told.append((at, "acked"))
            else:
                told.append((at, "unknown"))
                await asyncio.sleep(0.1)
        body = hashlib.sha256(wish.body).hexdigest()
        self.world.attempts += [
            Attempt(id, wish.key, wish.seq, wish.type, wish.topic, body, "http", at, outcome)
            for at, outcome in told
        ]
        self.acked += 1

    async def _ask(
        self, http: httpx.AsyncClient, wish: Wish, headers: dict[str, str]
    ) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = await http.request(wish.method, wish.path, content=wish.body, headers=headers)
        except httpx.TransportError:
            self.answers[0] += 1
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[answer.status_code] += 1
        assert answer.status_code in (*FINAL, 429, 503), f"{wish}: {answer.status_code} {answer.text}"
        return answer
