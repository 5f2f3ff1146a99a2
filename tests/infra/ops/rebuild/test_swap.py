"""Both read models are swapped while people write and read: nothing wrong is shown, and nothing is lost."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.roles import PROJECTIONS
from tests.infra.ops.rebuild.world import World, until
from tests.journeys.conftest import Person

PEOPLE = 4
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class Reader:
    """Somebody who writes, and reads what they wrote with `Pickly-After`; keeps what they were answered."""

    def __init__(self, world: World) -> None:
        self.person = Person(world.stack)
        self.answers: Counter[int] = Counter()
        # by path: the last note that was acknowledged, and the last that was read
        self.picks: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.resting = False

    async def live(self) -> None:
        """Publish and edit, again and again, until told to rest."""
        while not self.resting:
            ref = f"movielens:{uuid4().hex}"
            body = {"thing": {"ref": ref, "kind": "film", "title": "A film"}, "note": "first", "rating": 4}
            told = await self.writes("POST", "/v1/picks", body)
            pick = await self.sees(told, told.json()["resource"], "note", "first")
            self.picks[told.json()["resource"]] = self.seen[told.json()["resource"]] = "first"
            await self.sees(told, f"/v1/things/{pick['thing']['id']}", "pick_count", 1)
            told = await self.writes(
                "PATCH", told.json()["resource"], {"note": "second"}, {"if-match": pick["etag"]}
            )
            self.picks[told.json()["resource"]] = "second"
            await self.sees(told, told.json()["resource"], "note", "second")
            self.seen[told.json()["resource"]] = "second"
            await asyncio.sleep(0.02)

    async def look(self) -> None:
        """Look at the newest of the own picks without asking for anything: what was seen stays."""
        while not self.resting:
            for path, note in list(self.seen.items())[-1:]:
                answer = await self.person.http.get(path)
                if answer.status_code != 503 or "retry-after" not in answer.headers:
                    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
                    assert answer.json()["note"] >= note, f"{path}: {answer.json()['note']} after {note}"
            await asyncio.sleep(0.01)

    async def writes(
        self, method: str, path: str, body: dict[str, object], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        told = await self.person.http.request(method, path, json=body, headers=headers)
        assert told.status_code == 202, told.text
        return told

    async def sees(self, told: httpx.Response, path: str, name: str, value: object) -> dict[str, Any]:
        """Read until it is answered; the one other answer that is honest is 503, try again."""
        while True:
            after = {"pickly-after": told.headers["pickly-command"]}
            answer = await self.person.http.get(path, headers=after)
            self.answers[answer.status_code] += 1
            if answer.status_code == 503 and "retry-after" in answer.headers:
                continue
            assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
            assert answer.json()[name] == value, f"{path}: {name} is {answer.json()[name]!r}, not {value!r}"
            return {**answer.json(), "etag": answer.headers.get("etag", "")}


async def whole(world: World, readers: list[Reader]) -> None:
    """Everything that was acknowledged is shown, in its last state."""
    await world.shown()
    for reader in readers:
        for path, note in reader.picks.items():
            shown = await reader.person.http.get(path)
            assert (shown.status_code, shown.json()["note"]) == (200, note), path


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_swaps_under_load_show_nothing_wrong_and_lose_nothing(world: World, rounds: int) -> None:
    # given
    readers = [Reader(world) for _ in range(PEOPLE)]
    lives = [asyncio.create_task(work) for reader in readers for work in (reader.live(), reader.look())]

    async def warm() -> bool:
        return all(reader.answers[200] >= 6 for reader in readers) or any(life.done() for life in lives)

    await until(warm, "everybody has read something")
    deadlocks = await world.db.fetchval(DEADLOCKS)
    # when
    for _ in range(rounds):
        before = sum(reader.answers[200] for reader in readers)
        ran = await world.rebuild("all", "--json")
        dropped = await world.rebuild("all", "--drop-old")
        assert (ran.code, dropped.code) == (0, 0), (ran, dropped)
        # then
        assert '"equal": true' in ran.out, ran.out
        assert all(each["swapped"] and not each["behind"] for each in ran.reports)
        assert sum(reader.answers[200] for reader in readers) > before + PEOPLE
    for reader in readers:
        reader.resting = True
    await asyncio.gather(*lives)
    await world.db.execute("SELECT pg_stat_clear_snapshot()")
    assert await world.db.fetchval(DEADLOCKS) == deadlocks
    await whole(world, readers)
    for reader in readers:
        await reader.person.http.aclose()
    again = await world.rebuild("all", "--dry-run", "--json")
    assert again.code == 0, again
    assert [each["projection"] for each in again.reports] == list(PROJECTIONS)
