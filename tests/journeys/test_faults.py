"""What a client sees while things break, and that nothing acknowledged is lost or doubled."""

import asyncio
import random
from collections.abc import Callable

import httpx

from infra.local.servers import Servers
from tests.journeys.conftest import Person
from tests.journeys.stack import PARTS, Stack, until

People = Callable[[], Person]


def a_film(ref: str, **fields: object) -> dict[str, object]:
    return {"thing": {"ref": ref, "kind": "film", "title": "A film"}, **fields}


def restart_everything(stack: Stack, servers: Servers) -> None:
    stack.kill(*PARTS)
    for server in ("valkey", "postgres", "kafka"):
        servers.kill(server)
        servers.restart(server)
    stack.start(*PARTS)


async def test_one_key_is_one_effect_and_one_answer_fifty_times_at_once_and_after_restarts(
    person: People, stack: Stack, servers: Servers, ref: str
) -> None:
    ana = person()
    headers = {"idempotency-key": "from-my-phone", "prefer": "wait=10"}

    first = await asyncio.gather(
        *(ana.http.post("/v1/picks", json=a_film(ref), headers=headers) for _ in range(50))
    )
    await asyncio.to_thread(restart_everything, stack, servers)
    later = await ana.http.post("/v1/picks", json=a_film(ref), headers=headers)
    other = await ana.http.post("/v1/picks", json=a_film(ref, note="other"), headers=headers)

    answers = {(a.status_code, a.headers["location"], a.json()["id"]) for a in [*first, later]}
    assert len(answers) == 1, answers
    assert answers.pop()[0] == 201
    assert len({a.headers["pickly-command"] for a in [*first, later]}) == 1
    assert other.status_code == 422
    thing = (await ana.http.get("/v1/things", params={"ref": ref})).json()["items"][0]
    assert thing["pick_count"] == 1


async def test_while_the_broker_is_away_a_write_answers_503_and_its_retry_is_one_effect(
    person: People, stack: Stack, servers: Servers, ref: str
) -> None:
    ana = person()
    headers = {"idempotency-key": "while-away", "prefer": "wait=10"}
    servers.kill("kafka")

    away = await ana.http.post("/v1/picks", json=a_film(ref), headers=headers)
    await asyncio.to_thread(servers.restart, "kafka")
    back = await retried(ana, ref, headers)

    assert away.status_code == 503
    assert away.headers["content-type"] == "application/problem+json"
    assert "retry-after" in away.headers
    assert back.status_code == 201
    thing = (await ana.http.get("/v1/things", params={"ref": ref})).json()["items"][0]
    assert thing["pick_count"] == 1


async def retried(someone: Person, ref: str, headers: dict[str, str], **fields: object) -> httpx.Response:
    """As a good client does: the same request with the same key until the answer is final."""
    for _ in range(600):
        try:
            answer = await someone.http.post("/v1/picks", json=a_film(ref, **fields), headers=headers)
        except httpx.HTTPError:
            await asyncio.sleep(0.2)
            continue
        if answer.status_code not in (202, 503):
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError(f"no final answer for {ref}")


async def test_everything_is_killed_once_and_every_count_is_right(
    person: People, stack: Stack, servers: Servers, ref: str
) -> None:
    people, chance = [person() for _ in range(10)], random.Random(3)
    jobs: list[tuple[Person, str, float]] = []
    for n in range(12):
        jobs += [(who, f"{ref}.{n}", chance.randint(1, 10) / 2) for who in people]
    chance.shuffle(jobs)
    gate = asyncio.Semaphore(8)

    async def publish(who: Person, film: str, rating: float) -> int:
        async with gate:
            headers = {"idempotency-key": film, "prefer": "wait=10"}
            return (await retried(who, film, headers, rating=rating)).status_code

    async def break_things() -> None:
        for name in ("curation", "relay", "read_picks", "gateway", "read_things"):
            await asyncio.to_thread(stack.kill, name)
            await asyncio.to_thread(stack.start, name)
        for server in ("kafka", "postgres", "valkey"):
            await asyncio.to_thread(servers.kill, server)
            await asyncio.to_thread(servers.restart, server)

    statuses, _ = await asyncio.gather(asyncio.gather(*(publish(*job) for job in jobs)), break_things())

    assert set(statuses) == {201}
    until(lambda: all(stack.ready(name) for name in PARTS), "everything ready again")
    for n in range(12):
        ratings = [rating for _, film, rating in jobs if film == f"{ref}.{n}"]
        found = (await people[0].http.get("/v1/things", params={"ref": f"{ref}.{n}"})).json()["items"][0]
        assert found["pick_count"] == found["rating_count"] == len(people)
        assert found["rating_mean"] == round(sum(ratings) / len(ratings), 4)
        assert found["rating_histogram"] == {
            f"{half / 2:.1f}": ratings.count(half / 2) for half in range(1, 11)
        }
    for who in people:
        items = (await who.http.get(f"/v1/accounts/@{who.handle}/picks")).json()["items"]
        assert len(items) == 12
