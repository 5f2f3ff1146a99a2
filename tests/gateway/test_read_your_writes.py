"""`Pickly-After` and the status of a command: never a stale answer, and no answer too early."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from schemas.picks import PickEdited
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person, a_thing, new_pick, slug
from tests.given import NOON, a_state, added, published


class Edited:
    """A pick that is shown in its first version while its second one is on the way."""

    def __init__(self, who: Person, mesh: Mesh) -> None:
        self.thing, self.author, self.command = a_thing(), who.account, uuid4()
        self.first = published(who.account, self.thing)
        self.second = a_state(PickEdited, who.account, self.thing, version=2, note="new", edited_at=NOON)
        self.at = mesh.next_place(self.second)
        self.path = f"/v1/picks/{self.first.pick_id}"

    async def begin(self, mesh: Mesh) -> None:
        """Show the first version, decide on the second."""
        await mesh.project(added(self.thing), self.first)
        await mesh.decide(self.command, actor=self.author, type="EditPick", events=[self.at])

    async def arrive(self, mesh: Mesh, *groups: str) -> None:
        """Show the second version in these projections."""
        await mesh.project(self.second)
        for group in groups:
            await mesh.move(group, self.at)


@pytest.fixture
async def edited(mesh: Mesh, ana: Person) -> Edited:
    """A pick of Ana's, edited."""
    made = Edited(ana, mesh)
    await made.begin(mesh)
    return made


async def decided(who: Person, location: str) -> httpx.Response:
    """The status of a command once it is not pending any more."""
    async with asyncio.timeout(30):
        while True:
            status = await who.send("GET", location)
            if status.json()["status"] != "pending":
                return status
            await asyncio.sleep(0.02)


async def after(client: httpx.AsyncClient, path: str, command: UUID) -> httpx.Response:
    """A read that must show the command."""
    return await client.get(path, headers={"pickly-after": str(command)}, timeout=30)


async def test_a_read_waits_until_the_command_is_visible(
    mesh: Mesh, edited: Edited, anybody: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(after(anybody, edited.path, edited.command))
    await asyncio.sleep(0.1)
    assert not waiting.done()

    await edited.arrive(mesh, "read_picks", "read_things")

    answer = await waiting
    assert (answer.status_code, answer.json()["note"]) == (200, "new")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_read_that_cannot_show_it_in_time_is_503_and_not_stale(
    edited: Edited, anybody: httpx.AsyncClient
) -> None:
    answer = await after(anybody, edited.path, edited.command)

    assert (answer.status_code, slug(answer)) == (503, "not-yet-visible")
    assert answer.headers["retry-after"]


async def test_a_read_waits_only_for_the_projections_it_shows(
    mesh: Mesh, edited: Edited, anybody: httpx.AsyncClient
) -> None:
    await edited.arrive(mesh, "read_things")
    thing = f"/v1/things/{edited.first.thing_id}"

    assert (await after(anybody, thing, edited.command)).status_code == 200
    assert (await after(anybody, edited.path, edited.command)).status_code == 503


@pytest.mark.parametrize(
    "path",
    [
        "/v1/picks/{pick}",
        "/v1/things/{thing}",
        "/v1/things?ref={ref}",
        "/v1/things/{thing}/picks",
        "/v1/accounts/{author}/picks",
        "/v1/feeds/latest",
    ],
)
async def test_every_read_route_takes_pickly_after(
    mesh: Mesh, edited: Edited, anybody: httpx.AsyncClient, path: str
) -> None:
    names = {"pick": edited.first.pick_id, "thing": edited.first.thing_id, "author": edited.author}
    target = path.format(**names, ref=edited.thing.ref)

    too_early = await after(anybody, target, edited.command)
    await edited.arrive(mesh, "read_picks", "read_things")
    in_time = await after(anybody, target, edited.command)

    assert (too_early.status_code, in_time.status_code) == (503, 200)


async def test_an_unknown_command_is_never_visible(anybody: httpx.AsyncClient) -> None:
    assert (await after(anybody, "/v1/feeds/latest", uuid4())).status_code == 503


async def test_what_is_no_id_is_refused(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/v1/feeds/latest", headers={"pickly-after": "x"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Pickly-After")


async def test_a_held_up_projection_is_told_at_once(
    mesh: Mesh, edited: Edited, anybody: httpx.AsyncClient, ana: Person
) -> None:
    await edited.arrive(mesh, "read_picks", "read_things")
    await mesh.set_aside("read_picks", edited.at)

    answer = await after(anybody, edited.path, edited.command)
    status = await ana.send("GET", f"/v1/commands/{edited.command}")

    assert (answer.status_code, slug(answer)) == (503, "not-yet-visible")
    assert status.json()["status"] == "delayed"


async def test_a_command_tells_its_actor_how_far_it_is(mesh: Mesh, edited: Edited, ana: Person) -> None:
    path = f"/v1/commands/{edited.command}"

    pending = await ana.send("GET", path)
    await edited.arrive(mesh, "read_picks", "read_things")
    done = await ana.send("GET", path)

    assert (pending.status_code, pending.json()["status"]) == (200, "pending")
    assert pending.headers["retry-after"] == "1"
    assert done.json() | {"decided_at": None} == {
        "id": str(edited.command),
        "type": "EditPick",
        "status": "done",
        "resource": "/v1/picks/7f000001-0000-5000-8000-000000000001",
        "decided_at": None,
    }
    assert "retry-after" not in done.headers
    assert done.headers["cache-control"] == "no-store"


async def test_a_refused_command_tells_why(mesh: Mesh, ana: Person) -> None:
    first = await ana.publish(body := new_pick())
    again = await ana.send("POST", "/v1/picks", body)
    status = await decided(ana, again.headers["location"])

    assert (status.json()["status"], status.json()["reason"]) == ("refused", "already_picked")
    assert status.json()["resource"] == first.headers["location"]


async def test_a_foreign_command_answers_like_an_unknown_one(mesh: Mesh, edited: Edited, bo: Person) -> None:
    await edited.arrive(mesh, "read_picks", "read_things")

    foreign = await bo.send("GET", f"/v1/commands/{edited.command}")
    unknown = await bo.send("GET", f"/v1/commands/{uuid4()}")

    assert foreign.status_code == unknown.status_code == 200
    assert foreign.json() | {"id": ""} == unknown.json() | {"id": ""}
    assert foreign.headers["retry-after"] == unknown.headers["retry-after"]


async def test_the_time_of_a_decision_is_told_in_utc(mesh: Mesh, edited: Edited, ana: Person) -> None:
    status = await ana.send("GET", f"/v1/commands/{edited.command}")

    assert status.json()["decided_at"].endswith("Z")
