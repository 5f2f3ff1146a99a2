"""After forced compaction most records are gone, tombstones too; what is built from the rest is the same."""

from collections.abc import Iterator
from itertools import count

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import ids
from schemas.message import Message
from schemas.picks import PickDeleted, PickEdited, PickGone
from schemas.things import NewThing
from tests.given import NOON, a_state, added, published, reacted, reaction_gone
from tests.infra.ops.rebuild.world import World, until

STATES = ("pick.events", "reaction.events", "thing.events")
SMALL = {
    "cleanup.policy": "compact",
    "message.timestamp.type": "LogAppendTime",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.001",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "0",
}
FILM = NewThing(ref="movielens:compaction", kind="film", title="A film")
AUTHORS = [ids.account_id(f"author{n}") for n in range(40)]


async def compact_at_once(world: World) -> None:
    """Small segments and no lag, as `reset` would never configure them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka)
    await admin.start()
    topics = [ConfigResource(ConfigResourceType.TOPIC, name, SMALL) for name in STATES]
    cleaner = {"log.cleaner.backoff.ms": "200"}
    await admin.alter_configs([*topics, ConfigResource(ConfigResourceType.BROKER, "1", cleaner)])
    await admin.close()


def life(author: int, versions: Iterator[int]) -> list[Message]:
    """A pick, often edited, reacted to on and off; every fourth is deleted, every fifth goes for good."""
    who = AUTHORS[author]
    pick = published(who, FILM, rating=3)
    facts: list[Message] = [pick]
    for _ in range(25):
        version = next(versions)
        edited = a_state(PickEdited, who, FILM, version=version, rating=(author + version) % 10 / 2 + 0.5)
        edge = reacted(AUTHORS[author - 1], pick=pick.pick_id, version=version)
        facts += [edited, edge, reaction_gone(AUTHORS[author - 1], pick=pick.pick_id, version=next(versions))]
    if author % 2:
        facts.append(reacted(AUTHORS[author - 1], "love", pick=pick.pick_id, version=next(versions)))
    if author % 4 == 0:
        facts.append(a_state(PickDeleted, who, FILM, version=next(versions), deleted_at=NOON))
    if author % 5 == 0:
        facts.append(PickGone(pick_id=pick.pick_id, version=next(versions)))
    return facts


async def records(world: World) -> int:
    """How many the logs of the state topics still hold."""
    ends = await world.ends(STATES)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=world.settings.kafka, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    consumer.assign(list(ends))
    await consumer.seek_to_beginning()
    found = 0
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        found += sum(map(len, (await consumer.getmany(timeout_ms=100)).values()))
    await consumer.stop()
    return found


async def test_a_rebuild_after_forced_compaction_is_equal(world: World) -> None:
    # given
    facts = [life(author, count(2)) for author in range(len(AUTHORS))]
    await world.send(added(FILM), *(fact for each in facts for fact in each))
    written = await records(world)
    await compact_at_once(world)
    number = count(1)

    async def compacted() -> bool:
        await world.send(*one_more_in_each_partition(next(number)))
        return await records(world) < written / 4

    # when
    await until(compacted, "compaction has taken most records")
    await world.shown()
    ran = await world.rebuild("all", "--dry-run", "--json")
    # then
    assert written > 3_000
    assert ran.code == 0, ran.out
    reports = {report["projection"]: report for report in ran.reports}
    picks, things = reports["read_picks"], reports["read_things"]
    assert picks["records"] < written / 3
    assert {
        table["name"]: table["next_rows"] > 0
        for table in [*picks["tables"], *things["tables"]]
        if table["name"] != "author"  # nobody here has an account
    } == dict.fromkeys(("pick", "reaction", "reaction_count", "pick_edge", "thing", "thing_count"), True)
    assert not (await world.rows("SELECT 1 FROM read_picks.reaction_count WHERE count = 0"))


def one_more_in_each_partition(number: int) -> list[Message]:
    """What closes the segments that compaction leaves alone: one more record after them."""
    picks = [published(ids.account_id(f"filler{n}"), FILM, version=number) for n in range(36)]
    return [added(FILM), *picks, *(reacted(pick=pick.pick_id, version=number) for pick in picks)]
