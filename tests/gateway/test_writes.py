"""A write is a command on its topic: 202, or with `Prefer: wait` its outcome."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.partitions import partition_of
from infra.settings import Settings
from schemas import ids
from schemas.envelope import Meta
from schemas.picks import PublishPick
from schemas.topics import PICK_COMMANDS
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, new_pick, slug


async def last_record(settings: Settings, key: str) -> tuple[dict[str, str], bytes]:
    """Headers and value of the newest record of a key on pick.commands."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    place = TopicPartition(PICK_COMMANDS.name, partition_of(key, PICK_COMMANDS))
    consumer.assign([place])
    end = (await consumer.end_offsets([place]))[place]
    consumer.seek(place, max(0, end - 200))
    newest = None
    try:
        while newest is None or await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=1000)).get(place, []):
                newest = record if record.key == key.encode() else newest
    finally:
        await consumer.stop()
    return {name: value.decode() for name, value in newest.headers}, newest.value


async def test_an_accepted_pick_is_a_command_on_its_topic(mesh: Mesh, ana: Person, servers: Settings) -> None:
    body = new_pick(note="Good.", rating=4.5, tags=["Sea", "sea"])

    answer = await ana.send("POST", "/v1/picks", body)

    assert answer.status_code == 202
    told = answer.json()
    thing_id = ids.thing_id(body["thing"]["ref"])
    pick_id = ids.pick_id(ana.account, thing_id)
    assert told == {"command_id": told["command_id"], "resource": f"/v1/picks/{pick_id}", "status": "pending"}
    assert answer.headers["location"] == f"/v1/commands/{told['command_id']}"
    assert answer.headers["pickly-command"] == told["command_id"]
    assert UUID(told["command_id"]).version == 7
    headers, value = await last_record(servers, str(pick_id))
    meta = Meta.from_headers(headers, datetime.now(UTC))
    assert (str(meta.id), meta.type, meta.actor) == (told["command_id"], "PublishPick", ana.account)
    assert (meta.correlation, meta.subject, meta.source) == (meta.id, f"picks/{pick_id}", "pickly/gateway")
    assert headers["traceparent"].split("-")[1] == answer.headers["x-request-id"]
    command = PublishPick.model_validate_json(value)
    assert (command.thing_id, command.author_id, command.rating) == (thing_id, ana.account, 4.5)
    assert command.tags == ("sea",)


async def test_a_waited_for_pick_comes_back_as_it_is_shown(mesh: Mesh, ana: Person) -> None:
    answer = await ana.publish(
        new_pick(note="Good.", rating=5, tags=["sea"], picked_at="2026-01-02T03:04:05+01:00")
    )

    assert answer.status_code == 201, answer.text
    assert answer.headers["preference-applied"] == "wait=10"
    shown = answer.json()
    assert answer.headers["location"] == f"/v1/picks/{shown['id']}"
    assert answer.headers["etag"].startswith('"1-')
    assert (shown["note"], shown["rating"], shown["version"]) == ("Good.", 5.0, 1)
    assert shown["picked_at"] == "2026-01-02T02:04:05Z"
    assert shown == (await ana.send("GET", answer.headers["location"])).json()


async def test_a_reference_is_made_canonical_on_the_way_in(mesh: Mesh, ana: Person) -> None:
    path = uuid4().hex
    thing = {"ref": f"http://WWW.Example.org:80/{path}/?utm_source=x#top", "kind": "page", "title": "A"}

    answer = await ana.publish(new_pick(thing=thing))

    assert answer.json()["thing"]["ref"] == f"https://example.org/{path}"


async def test_a_second_pick_of_a_thing_is_refused_with_a_link_to_the_first(mesh: Mesh, ana: Person) -> None:
    body = new_pick()
    first = await ana.publish(body)

    second = await ana.publish({**body, "note": "Again."})

    assert (second.status_code, slug(second)) == (409, "already-picked")
    assert second.json()["resource"] == first.headers["location"]
    assert (await ana.send("GET", second.json()["resource"])).json()["note"] == ""


async def test_publishing_a_deleted_pick_again_links_to_its_restoration(mesh: Mesh, ana: Person) -> None:
    body = new_pick()
    path = (await ana.publish(body)).headers["location"]
    await ana.send("DELETE", path, **WAIT)

    again = await ana.publish(body)

    assert (again.status_code, slug(again)) == (409, "deleted")
    restored = await ana.send("POST", again.json()["resource"], **WAIT)
    assert restored.status_code == 200
    assert "deleted_at" not in restored.json()


async def test_an_edit_changes_what_is_set_and_answers_with_the_new_state(mesh: Mesh, ana: Person) -> None:
    made = await ana.publish(new_pick(note="Good.", rating=3, tags=["a"]))

    answer = await ana.send(
        "PATCH",
        made.headers["location"],
        {"rating": None, "tags": ["b"]},
        if_match=made.headers["etag"],
        **WAIT,
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-location"] == made.headers["location"]
    assert answer.headers["etag"].startswith('"2-')
    shown = answer.json()
    assert (shown["note"], shown["rating"], shown["tags"], shown["version"]) == ("Good.", None, ["b"], 2)


@pytest.mark.parametrize(
    ("if_match", "status", "expected"),
    [
        (None, 428, "precondition-required"),
        ('"7-00"', 412, "stale"),
        ("nonsense", 412, "stale"),
        ('W/"1-00"', 412, "stale"),
        ('"1-00", "2-00"', 412, "stale"),
    ],
)
async def test_an_edit_needs_the_current_version(
    mesh: Mesh, ana: Person, if_match: str | None, status: int, expected: str
) -> None:
    path = (await ana.publish()).headers["location"]
    headers = WAIT | ({} if if_match is None else {"if_match": if_match})

    answer = await ana.send("PATCH", path, {"note": "x"}, **headers)

    assert (answer.status_code, slug(answer)) == (status, expected)
    assert (await ana.send("GET", path)).json()["version"] == 1


async def test_if_match_is_compared_up_to_the_dash(mesh: Mesh, ana: Person) -> None:
    path = (await ana.publish()).headers["location"]

    answer = await ana.send("PATCH", path, {"note": "x"}, if_match='"1-0123456789abcdef"', **WAIT)

    assert answer.status_code == 200


async def test_a_deleted_pick_is_its_authors_and_can_come_back(mesh: Mesh, ana: Person, bo: Person) -> None:
    path = (await ana.publish()).headers["location"]

    deleted = await ana.send("DELETE", path, **WAIT)

    assert deleted.status_code == 200
    assert deleted.json()["deleted_at"]
    assert (await ana.send("GET", path)).status_code == 200
    assert (await bo.send("GET", path)).status_code == 404
    await ana.send("POST", f"{path}/restore", **WAIT)
    assert (await bo.send("GET", path)).status_code == 200


async def test_restoring_what_is_not_deleted_changes_nothing(mesh: Mesh, ana: Person) -> None:
    path = (await ana.publish()).headers["location"]

    answer = await ana.send("POST", f"{path}/restore", **WAIT)

    assert (answer.status_code, answer.json()["version"]) == (200, 1)


async def test_reactions_are_counted_once_per_kind_and_taken_back(
    mesh: Mesh, ana: Person, bo: Person, person: Callable[[], Person]
) -> None:
    path = (await ana.publish()).headers["location"]
    for who in (bo, bo, person()):
        answer = await who.send("PUT", f"{path}/reactions/like", **WAIT)
        assert answer.status_code == 200, answer.text
    await bo.send("PUT", f"{path}/reactions/insightful", **WAIT)
    assert (await ana.send("GET", path)).json()["reactions"] == {"like": 2, "insightful": 1}

    await bo.send("DELETE", f"{path}/reactions/insightful", **WAIT)

    assert (await ana.send("GET", path)).json()["reactions"] == {"like": 2}


async def test_a_reaction_to_an_unknown_pick_is_done_with_nothing_to_show(mesh: Mesh, ana: Person) -> None:
    answer = await ana.send("PUT", f"/v1/picks/{uuid4()}/reactions/like", **WAIT)

    assert answer.status_code == 200
    assert (answer.json()["type"], answer.json()["status"]) == ("React", "done")


@pytest.mark.parametrize(("method", "tail"), [("PATCH", ""), ("DELETE", ""), ("POST", "/restore")])
async def test_a_pick_that_is_not_there_is_not_found(mesh: Mesh, ana: Person, method: str, tail: str) -> None:
    body = {"note": "x"} if method == "PATCH" else None

    answer = await ana.send(method, f"/v1/picks/{uuid4()}{tail}", body, if_match='"1-0"', **WAIT)

    assert (answer.status_code, slug(answer)) == (404, "not-found")


async def test_when_the_wait_runs_out_the_answer_is_202(mesh: Mesh, ana: Person) -> None:
    mesh.projecting.clear()
    try:
        answer = await ana.publish(prefer="wait=1")
    finally:
        mesh.projecting.set()

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.headers["location"] == f"/v1/commands/{answer.headers['pickly-command']}"
    assert answer.headers["preference-applied"] == "wait=1"


async def test_a_pick_of_tomorrow_is_refused(ana: Person) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    answer = await ana.send("POST", "/v1/picks", new_pick(picked_at=tomorrow))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "picked_at")
