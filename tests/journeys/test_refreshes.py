"""A storm of refreshes on lines that lose answers: nobody is signed out by it."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from tests.journeys.stack import Stack
from tests.journeys.visitors import Letterbox, Signed, patiently, registers, signs_in

CLIENTS = 10
LOST = 0.2
HEAD = (
    "POST /v1/auth/tokens HTTP/1.1\r\nhost: {}\r\n"
    "content-type: application/json\r\ncontent-length: {}\r\n\r\n"
)


@dataclass
class Client:
    """An app that renews its tokens all the time, on a line that loses one answer in five."""

    stack: Stack
    who: Signed
    lots: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    async def storm(self, seconds: float) -> None:
        """Refresh until the time is over; a lost answer is asked for again with the same token."""
        until = time.monotonic() + seconds
        async with httpx.AsyncClient(base_url=self.stack.url, timeout=30) as http:
            while time.monotonic() < until:
                await self._lose() if self.lots.random() < LOST else await self.refresh(http)

    async def refresh(self, http: httpx.AsyncClient) -> None:
        """Renew the tokens, and keep them."""
        answer = await patiently(http, "POST", "/v1/auth/tokens", self.body())
        self.counts[str(answer.status_code)] += 1
        assert answer.status_code == 200, answer.text
        self.who.tokens = answer.json()

    async def _lose(self) -> None:
        """Send the whole request, and hang up before, while or after it is decided, without reading."""
        port = self.stack.ports["gateway"]
        body = orjson.dumps(self.body())
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.format(f"127.0.0.1:{port}", len(body)).encode() + body)
        await writer.drain()
        await asyncio.sleep(self.lots.uniform(0, 0.08))
        writer.transport.abort()
        self.counts["lost"] += 1

    def body(self) -> dict[str, Any]:
        """What it sends."""
        return {"refresh_token": self.who.tokens["refresh_token"]}


async def storm(stack: Stack, letters: Letterbox, seconds: float) -> None:
    """Ten clients for so long; then each of them must still be signed in, and nothing revoked."""
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as http:
        handle = await registers(http, letters)
        lots = [random.Random(n) for n in range(CLIENTS)]
        clients = [Client(stack, await signs_in(http, handle), each) for each in lots]

        await asyncio.gather(*(client.storm(seconds) for client in clients))

        counts = sum((client.counts for client in clients), Counter[str]())
        print(f"\nrefresh storm, {seconds:.0f} s: {dict(counts)}")  # noqa: T201  # shown, not asserted
        assert set(counts) == {"200", "lost"}
        for client in clients:
            shown = await http.get("/v1/auth/sessions/current", headers=client.who.headers)
            assert shown.status_code == 200, shown.text
            assert (await patiently(http, "POST", "/v1/auth/tokens", client.body())).status_code == 200


async def test_a_storm_with_lost_answers_revokes_nobody(stack: Stack, letters: Letterbox) -> None:
    await storm(stack, letters, 30)


@pytest.mark.long
async def test_five_minutes_of_storm_revoke_nobody(stack: Stack, letters: Letterbox) -> None:
    await storm(stack, letters, 300)


async def test_the_storm_would_notice_a_family_that_is_revoked(stack: Stack, letters: Letterbox) -> None:
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as http:
        client = Client(stack, await signs_in(http, await registers(http, letters)), random.Random(0))
        stolen = client.body()
        for _ in range(2):
            await client.refresh(http)
        await patiently(http, "POST", "/v1/auth/tokens", stolen)

        with pytest.raises(AssertionError, match="refresh-refused"):
            await client.storm(5)
