"""The read model of things: what every pick contributes, counted exactly in any order."""

import random
from collections import Counter
from typing import Any

import orjson

from consumers.projections.things.app import count_pick, show_thing, uncount_pick
from infra.runtime import Db
from schemas import ids
from schemas.picks import PickDeleted, PickEdited, PickGone, PickPublished, PickRestored
from tests.given import ANA, BO, DISPOSSESSED, NOON, PICK, a_state, added, batch, published


async def histogram(db: Db) -> dict[int, int]:
    rows = await db.fetch("SELECT bucket, sum(count)::int AS n FROM thing_count GROUP BY 1")
    return {row["bucket"]: row["n"] for row in rows}


async def test_a_thing_is_kept_as_ready_json(things_db: Db) -> None:
    await show_thing(batch(added()), things_db)
    assert orjson.loads(await things_db.fetchval("SELECT body FROM thing")) == {
        "id": str(ids.thing_id(DISPOSSESSED.ref)),
        "ref": "isbn:9780061054884",
        "kind": "book",
        "title": "The Dispossessed",
    }


async def test_each_pick_counts_in_the_bucket_of_its_rating(things_db: Db) -> None:
    await count_pick(batch(published(rating=4.5), published(BO)), things_db)
    assert await histogram(things_db) == {9: 1, 0: 1}


async def test_an_edit_moves_the_pick_to_another_bucket(things_db: Db) -> None:
    await count_pick(batch(published(rating=4.5)), things_db)
    await count_pick(batch(a_state(PickEdited, rating=1, version=2)), things_db)
    assert await histogram(things_db) == {2: 1}


async def test_a_deleted_pick_does_not_count_until_it_is_restored(things_db: Db) -> None:
    await count_pick(batch(published(rating=3)), things_db)
    await count_pick(batch(a_state(PickDeleted, rating=3, version=2, deleted_at=NOON)), things_db)
    assert await histogram(things_db) == {}
    await count_pick(batch(a_state(PickRestored, rating=3, version=3)), things_db)
    assert await histogram(things_db) == {6: 1}


async def test_a_pick_that_is_gone_counts_no_more_and_once(things_db: Db) -> None:
    await count_pick(batch(published(rating=3), published(BO, rating=3)), things_db)
    for _ in range(2):
        await uncount_pick(batch(PickGone(pick_id=PICK, version=2)), things_db)
    assert await histogram(things_db) == {6: 1}


async def test_repeats_and_older_states_change_nothing(things_db: Db) -> None:
    for state in (a_state(PickEdited, rating=5, version=3), published(rating=1)) * 2:
        await count_pick(batch(state), things_db)
        assert await histogram(things_db) == {10: 1}


async def test_counts_equal_a_count_of_the_last_states_whatever_the_order(things_db: Db) -> None:
    chance = random.Random(7)
    states: list[Any] = []
    for who in [ids.account_id(f"someone{n}") for n in range(20)] + [ANA]:
        versions = range(1, chance.randint(2, 6))
        states += [
            a_state(
                PickDeleted if chance.random() < 0.2 else PickPublished,
                who,
                rating=chance.choice([None, 0.5, 2, 5]),
                version=version,
                deleted_at=NOON if chance.random() < 0.2 else None,
            )
            for version in versions
        ]
    last = {state.pick_id: state for state in sorted(states, key=lambda state: state.version)}
    expected = Counter(round((s.rating or 0) * 2) for s in last.values() if s.deleted_at is None)
    chance.shuffle(states)

    for state in states:
        await count_pick(batch(state), things_db)

    assert await histogram(things_db) == dict(expected)
