"""The same Idempotency-Key is the same command: one effect, the same answer, and only with the same body."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.app import create_app
from gateway.services import open_services
from gateway.valkey import connect
from infra.settings import Settings
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, new_pick, probes, slug


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """What has to be the same in every answer to a repeat."""
    return answer.status_code, answer.headers["location"], answer.headers["pickly-command"]


async def forget_everything(servers: Settings) -> None:
    """Empty Valkey."""
    valkey = connect(servers)
    await valkey.flushall()
    await valkey.aclose()


async def test_fifty_at_once_are_one_effect_and_the_same_answer(mesh: Mesh, ana: Person) -> None:
    body, key = new_pick(), uuid4().hex

    answers = await asyncio.gather(*(ana.publish(body, idempotency_key=key) for _ in range(50)))

    assert {told(answer) for answer in answers} == {told(answers[0])}
    assert answers[0].status_code == 201
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert mesh.effects[UUID(answers[0].headers["pickly-command"])] == 1


async def test_the_answer_is_the_same_after_everything_was_started_anew(
    mesh: Mesh, ana: Person, servers: Settings
) -> None:
    body, key = new_pick(), uuid4().hex
    before = [await ana.send("POST", "/v1/picks", body, idempotency_key=key)]
    before.append(await ana.publish(body, idempotency_key=key))
    await forget_everything(servers)

    async with open_services(servers) as services:
        again = Person(create_app(services, probes), ana.handle, ana.account, ana.token)
        after = [await again.send("POST", "/v1/picks", body, idempotency_key=key)]
        after.append(await again.publish(body, idempotency_key=key))

    assert [told(answer) for answer in after] == [told(answer) for answer in before]
    assert mesh.effects[UUID(before[0].headers["pickly-command"])] == 1


async def test_another_body_under_the_key_is_refused_at_the_door(mesh: Mesh, ana: Person) -> None:
    body, key = new_pick(), uuid4().hex
    await ana.send("POST", "/v1/picks", body, idempotency_key=key)

    answer = await ana.send("POST", "/v1/picks", body | {"note": "other"}, idempotency_key=key)

    assert (answer.status_code, slug(answer)) == (422, "idempotency-key-reused")


async def test_another_if_match_under_the_key_is_another_body(mesh: Mesh, ana: Person) -> None:
    path, key = (await ana.publish()).headers["location"], uuid4().hex
    await ana.send("PATCH", path, {"note": "x"}, idempotency_key=key, if_match='"1-00"', **WAIT)

    answer = await ana.send("PATCH", path, {"note": "x"}, idempotency_key=key, if_match='"2-00"')

    assert (answer.status_code, slug(answer)) == (422, "idempotency-key-reused")


async def test_the_decision_tells_what_valkey_has_forgotten(
    mesh: Mesh, ana: Person, servers: Settings
) -> None:
    body, key = new_pick(), uuid4().hex
    first = await ana.publish(body, idempotency_key=key)
    await forget_everything(servers)

    waited = await ana.publish(body | {"note": "other"}, idempotency_key=key)
    accepted = await ana.send("POST", "/v1/picks", body | {"note": "other"}, idempotency_key=key)
    status = await ana.send("GET", accepted.headers["location"])

    assert (waited.status_code, slug(waited)) == (422, "idempotency-key-reused")
    assert (status.status_code, slug(status)) == (422, "idempotency-key-reused")
    assert (await ana.send("GET", first.headers["location"])).json()["note"] == ""


async def test_the_location_of_a_keyed_command_names_its_body(mesh: Mesh, ana: Person) -> None:
    answer = await ana.send("POST", "/v1/picks", new_pick(), idempotency_key=uuid4().hex)

    path, _, query = answer.headers["location"].partition("?")
    assert path == f"/v1/commands/{answer.headers['pickly-command']}"
    assert query.startswith("body=")
    assert len(query) == len("body=") + 16
    assert (await ana.send("GET", answer.headers["location"])).status_code == 200


async def test_a_key_belongs_to_actor_method_route_and_path(mesh: Mesh, ana: Person, bo: Person) -> None:
    path, other = f"/v1/picks/{uuid4()}", f"/v1/picks/{uuid4()}"
    key = uuid4().hex

    answers = [
        await who.send(method, target, idempotency_key=key)
        for who, method, target in (
            (ana, "DELETE", path),
            (bo, "DELETE", path),
            (ana, "DELETE", other),
            (ana, "POST", f"{path}/restore"),
            (ana, "PUT", f"{path}/reactions/like"),
            (ana, "DELETE", f"{path}/reactions/like"),
            (ana, "PUT", f"{path}/reactions/love"),
        )
    ]

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["pickly-command"] for answer in answers}) == len(answers)


async def test_spelling_an_id_otherwise_does_not_make_another_command(mesh: Mesh, ana: Person) -> None:
    pick_id, key = str(uuid4()), uuid4().hex

    first = await ana.send("DELETE", f"/v1/picks/{pick_id}", idempotency_key=key)
    second = await ana.send("DELETE", f"/v1/picks/{pick_id.upper()}", idempotency_key=key)

    assert told(first) == told(second)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_refused(ana: Person, key: str) -> None:
    answer = await ana.send("POST", "/v1/picks", new_pick(), idempotency_key=key)

    assert (answer.status_code, slug(answer)) == (400, "malformed")


async def test_without_valkey_keys_are_still_checked_by_the_decision(
    mesh: Mesh, ana: Person, servers: Settings
) -> None:
    nowhere = servers.model_copy(update={"valkey": "redis://127.0.0.1:1/0"})
    body, key = new_pick(), uuid4().hex
    async with open_services(nowhere) as services:
        alone = Person(create_app(services, probes), ana.handle, ana.account, ana.token)
        first = await alone.publish(body, idempotency_key=key)
        again = await alone.publish(body, idempotency_key=key)
        other = await alone.publish(body | {"note": "other"}, idempotency_key=key)

    assert first.status_code == 201
    assert told(first) == told(again)
    assert (other.status_code, slug(other)) == (422, "idempotency-key-reused")
