"""F10: poison, bad headers, newer fields and values that are too large, among sound commands."""

from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from schemas.envelope import Meta
from schemas.picks import PublishPick
from schemas.topics import MAX_BODY, PICK_COMMANDS
from tests.chaos.checker import check
from tests.chaos.checker_world import Headers, Sender
from tests.faults.world import World
from tests.given import ANA, BO, NOON, SOLARIS, a_pick

TOPIC = PICK_COMMANDS.name
POISON = {
    "invalid_body": (b'{"note": 1}', ()),
    "oversize": (b"x" * (MAX_BODY + 1), ()),
    "undecodable_headers": (None, (("x", b"\xff"),)),
    "bad_envelope": (None, (("ce_sequence", b"-1"),)),
    "no_type": (None, (("ce_type", b""),)),
}


def a_film(author: UUID) -> PublishPick:
    """A pick of a film that nobody has picked."""
    return a_pick(author, SOLARIS.model_copy(update={"ref": f"imdb:{uuid4().hex}"}))


def headers_of(pick: PublishPick, id: UUID) -> Headers:
    meta = Meta(id, PublishPick.__name__, NOON, pick.about, actor=pick.author_id)
    return [(name, text.encode()) for name, text in meta.headers().items()]


async def test_f10_exactly_the_poison_is_set_aside_and_its_neighbours_go_on(world: World) -> None:
    await world.at_rest()
    before = await check(world.attempts, world.settings)
    neighbours: list[UUID] = []
    async with AIOKafkaProducer(
        bootstrap_servers=world.settings.kafka, acks="all", max_request_size=2**20
    ) as producer:
        sender = Sender(producer, world.attempts)
        for reason, (value, more) in POISON.items():
            pick, id = a_film(ANA), uuid4()
            headers = [*headers_of(pick, id), *more]
            await sender.wire(
                id, pick.key, pick.body() if value is None else value, headers, "PublishPick", TOPIC, reason
            )
            neighbours.append(await sender.send(a_film(BO)))
            await sender.send(pick)  # behind it: parked
        neighbours.append(await newer(sender))

    await world.all_is_well()
    after = await check(world.attempts, world.settings)

    assert after.dead - before.dead == 2 * len(POISON)
    assert set(await statuses(world, neighbours)) == {"decided"}


async def newer(sender: Sender) -> UUID:
    """A command of a later version of the contract: it has a field that nobody here knows."""
    pick, id = a_film(ANA), uuid4()
    headers = [each for each in headers_of(pick, id) if each[0] != "ce_dataschema"]
    headers.append(("ce_dataschema", b"urn:pickly:PublishPick:99.0.0"))
    body = pick.body().replace(b"{", b'{"mood":{"of":"tomorrow"},', 1)
    await sender.wire(id, pick.key, body, headers, "PublishPick", TOPIC)
    return id


async def statuses(world: World, ids: list[UUID]) -> list[str]:
    """What was decided about the commands."""
    db = await asyncpg.connect(world.settings.dsn("postgres"))
    rows = await db.fetch("SELECT status FROM mesh.decisions WHERE command_id = ANY($1)", ids)
    await db.close()
    assert len(rows) == len(ids)
    return [row["status"] for row in rows]
