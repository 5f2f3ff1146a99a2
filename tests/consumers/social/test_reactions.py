"""Social's decisions: react, take back, and what becomes of reactions when their pick closes or goes."""

from typing import Any

from consumers.social.app import clean_up, close_pick, note_pick, react, unreact
from consumers.social.rules import ENDS_KEPT, SWEPT_AFTER
from infra.partitions import partition_of
from infra.runtime import Db, Refusal, Unchanged, gone
from schemas.message import Tick
from schemas.picks import PickDeleted, PickGone, PickRestored
from schemas.reactions import ReactionGone
from schemas.topics import PICK_COMMANDS, PICK_EVENTS, REACTION_COMMANDS, REACTION_EVENTS
from tests.given import (
    ANA,
    BO,
    NOON,
    PICK,
    SOLARIS,
    a_pick,
    a_state,
    batch,
    meta,
    published,
    reacted,
    reaction_gone,
    reacts,
    unreacts,
)

MINE = partition_of(str(PICK), REACTION_COMMANDS)


def a_tick(topic: str = REACTION_COMMANDS.name, partition: int = MINE) -> Tick:
    return Tick(topic=topic, partition=partition)


async def test_many_reactions_are_decided_at_once(social_db: Db) -> None:
    await note_pick(batch(published()), social_db)
    assert await react(batch(reacts(), reacts(ANA), reacts(kind="love")), social_db) == [
        reacted(),
        reacted(ANA),
        reacted(kind="love"),
    ]


async def test_reacting_twice_changes_nothing_and_points_to_the_first(social_db: Db) -> None:
    first = batch(reacts())
    await react(first, social_db)
    assert await react(batch(reacts()), social_db) == [Unchanged(after=first[0].meta.id)]


async def test_an_unknown_pick_may_be_on_its_way(social_db: Db) -> None:
    assert await react(batch(reacts()), social_db) == [reacted()]


async def test_a_deleted_pick_takes_no_reactions_until_it_is_restored(social_db: Db) -> None:
    await note_pick(batch(published()), social_db)
    await note_pick(batch(a_state(PickDeleted, deleted_at=NOON, version=2)), social_db)
    assert await react(batch(reacts()), social_db) == [Refusal("pick_closed")]
    await note_pick(batch(a_state(PickRestored, version=3)), social_db)
    assert await react(batch(reacts()), social_db) == [reacted()]


async def test_each_reaction_of_a_batch_is_judged_by_its_own_edge_and_pick(social_db: Db) -> None:
    open_, closed, gone_ = a_pick(ANA).pick_id, a_pick(BO).pick_id, a_pick(thing=SOLARIS).pick_id
    first = batch(reacts(pick=open_))
    await react(first, social_db)
    await note_pick(batch(a_state(PickDeleted, BO, deleted_at=NOON, version=2)), social_db)
    again = reacts(pick=open_, kind="love")
    await gone.remember(social_db, [(PICK_EVENTS.name, str(gone_), 3), (REACTION_EVENTS.name, again.key, 4)])

    asked = batch(reacts(pick=open_), reacts(pick=closed), reacts(pick=gone_), again, reacts(ANA, pick=open_))

    assert await react(asked, social_db) == [
        Unchanged(after=first[0].meta.id),
        Refusal("pick_closed"),
        Refusal("pick_closed"),
        reacted(pick=open_, kind="love", version=5),
        reacted(ANA, pick=open_),
    ]


async def test_an_older_state_of_a_pick_changes_nothing(social_db: Db) -> None:
    await note_pick(batch(a_state(PickDeleted, deleted_at=NOON, version=2)), social_db)
    await note_pick(batch(published()), social_db)
    assert await react(batch(reacts()), social_db) == [Refusal("pick_closed")]


async def test_taking_back_ends_the_edge_and_a_new_one_goes_on_from_its_version(social_db: Db) -> None:
    await react(batch(reacts()), social_db)
    assert await unreact(batch(unreacts()), social_db) == [reaction_gone(version=2)]
    await gone.remember(social_db, [(REACTION_EVENTS.name, reacts().key, 2)])
    assert await react(batch(reacts()), social_db) == [reacted(version=3)]


async def test_taking_back_what_is_not_there_is_no_error(social_db: Db) -> None:
    assert await unreact(batch(unreacts()), social_db) == [Unchanged()]


async def test_taking_back_twice_changes_nothing_and_points_to_the_one_that_did(social_db: Db) -> None:
    await react(batch(reacts()), social_db)
    first = batch(unreacts())
    await unreact(first, social_db)
    assert await unreact(batch(unreacts()), social_db) == [Unchanged(after=first[0].meta.id)]
    await react(batch(reacts()), social_db)
    last = batch(unreacts())
    await unreact(last, social_db)
    assert await unreact(batch(unreacts()), social_db) == [Unchanged(after=last[0].meta.id)]


async def test_who_took_a_reaction_back_is_forgotten_after_a_day(social_db: Db) -> None:
    await react(batch(reacts()), social_db)
    taken = batch(unreacts())
    await unreact(taken, social_db)
    day = ENDS_KEPT.total_seconds() / 60
    await clean_up(a_tick(), meta(None, minutes=day - 1), social_db)
    assert await unreact(batch(unreacts()), social_db) == [Unchanged(after=taken[0].meta.id)]
    await clean_up(a_tick(), meta(None, minutes=day), social_db)
    assert await unreact(batch(unreacts()), social_db) == [Unchanged()]


async def test_the_reactions_of_a_pick_go_with_it(social_db: Db) -> None:
    await note_pick(batch(published()), social_db)
    await react(batch(reacts(), reacts(ANA)), social_db)
    outcome = await close_pick(PickGone(pick_id=PICK, version=3), meta(None), social_db)
    assert set(map(key, outcome)) == {reacts().key, reacts(ANA).key}
    assert {each.version for each in outcome} == {2}


async def test_a_pick_that_is_gone_takes_no_reactions(social_db: Db) -> None:
    await gone.remember(social_db, [(PICK_EVENTS.name, str(PICK), 3)])
    assert await react(batch(reacts()), social_db) == [Refusal("pick_closed")]


async def test_a_new_life_of_a_pick_takes_reactions(social_db: Db) -> None:
    await gone.remember(social_db, [(PICK_EVENTS.name, str(PICK), 3)])
    await note_pick(batch(published(version=4)), social_db)
    assert await react(batch(reacts()), social_db) == [reacted()]


async def test_many_reactions_of_a_gone_pick_leave_a_page_a_tick(social_db: Db) -> None:
    await social_db.execute(
        "INSERT INTO reaction SELECT $1, gen_random_uuid(), 'like', now(), 1, gen_random_uuid(), $2, NULL"
        " FROM generate_series(1, 1500)",
        PICK,
        MINE,
    )
    first = await close_pick(PickGone(pick_id=PICK, version=3), meta(None), social_db)
    second = await clean_up(a_tick(), meta(None), social_db)
    third = await clean_up(a_tick(), meta(None), social_db)
    assert [len(page) for page in (first, second, third)] == [1000, 500, 0]
    assert await social_db.fetchval("SELECT count(*) FROM pick_copy") == 0


async def test_reactions_to_a_pick_nobody_heard_of_are_swept_after_a_day(social_db: Db) -> None:
    await react(batch(reacts()), social_db)
    day = SWEPT_AFTER.total_seconds() / 60
    assert await clean_up(a_tick(), meta(None, minutes=day - 1), social_db) == []
    assert await clean_up(a_tick(partition=(MINE + 1) % 12), meta(None, minutes=day), social_db) == []
    assert await clean_up(a_tick(PICK_COMMANDS.name), meta(None, minutes=day), social_db) == []
    assert list(map(key, await clean_up(a_tick(), meta(None, minutes=day), social_db))) == [reacts().key]


async def test_a_reaction_whose_pick_came_late_stays(social_db: Db) -> None:
    await react(batch(reacts(BO)), social_db)
    await note_pick(batch(published()), social_db)
    assert await clean_up(a_tick(), meta(None, minutes=10**5), social_db) == []


def key(edge: Any) -> str:
    assert isinstance(edge, ReactionGone)
    return edge.key
