"""The read model of picks: ready JSON, reaction counts, any order."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import orjson
import pytest

from consumers.projections.picks.app import count_reaction, forget, hide, introduce, show, uncount_reaction
from infra.runtime import Db
from schemas.accounts import AccountGone
from schemas.picks import PickDeleted, PickEdited, PickGone
from schemas.profile import HandleChanged
from tests.accounts import an_account
from tests.given import ANA, NOON, PICK, a_state, batch, published, reacted, reaction_gone


async def body(db: Db) -> dict[str, Any]:
    found = await db.fetchval("SELECT body FROM pick WHERE pick_id = $1", PICK)
    members: dict[str, Any] = orjson.loads(b"{" + found + b"}")
    return members


async def counts(db: Db) -> dict[str, int]:
    return {row["kind"]: row["count"] for row in await db.fetch("SELECT kind, count FROM reaction_count")}


async def test_a_pick_is_kept_as_the_json_that_pages_show(picks_db: Db) -> None:
    await show(batch(published(note="n", rating=4.5, tags=("a", "b"))), picks_db)
    assert await body(picks_db) == {
        "id": str(PICK),
        "note": "n",
        "rating": 4.5,
        "tags": ["a", "b"],
        "picked_at": "2026-06-01T12:00:00Z",
        "published_at": "2026-06-01T12:00:00Z",
        "edited_at": None,
        "version": 1,
    }


async def test_a_newer_state_replaces_and_an_older_one_does_not(picks_db: Db) -> None:
    newer = a_state(PickEdited, note="new", version=2, edited_at=NOON + timedelta(minutes=1))
    await show(batch(newer), picks_db)
    await show(batch(published(note="old")), picks_db)
    assert (await body(picks_db))["note"] == "new"


async def test_a_deleted_pick_says_so(picks_db: Db) -> None:
    await show(batch(a_state(PickDeleted, version=2, deleted_at=NOON)), picks_db)
    assert (await body(picks_db))["deleted_at"] == "2026-06-01T12:00:00Z"
    assert await picks_db.fetchval("SELECT deleted_at FROM pick") == NOON


async def test_gone_removes_older_versions_only(picks_db: Db) -> None:
    await show(batch(published(version=4)), picks_db)
    await hide(batch(PickGone(pick_id=PICK, version=3)), picks_db)
    assert await picks_db.fetchval("SELECT count(*) FROM pick") == 1
    await hide(batch(PickGone(pick_id=PICK, version=5)), picks_db)
    assert await picks_db.fetchval("SELECT count(*) FROM pick") == 0


async def test_an_edge_counts_once_however_often_it_comes(picks_db: Db) -> None:
    for _ in range(3):
        await count_reaction(batch(reacted(), reacted(ANA), reacted(kind="love")), picks_db)
    assert await counts(picks_db) == {"like": 2, "love": 1}


async def test_an_edge_whose_end_and_new_life_came_in_one_poll_counts_once(picks_db: Db) -> None:
    await count_reaction(batch(reacted()), picks_db)
    await count_reaction(batch(reacted(version=3)), picks_db)  # of a key, only the newest of a poll is shown
    assert await counts(picks_db) == {"like": 1}


async def test_an_edge_that_ended_counts_no_more_and_once(picks_db: Db) -> None:
    await count_reaction(batch(reacted(), reacted(ANA)), picks_db)
    for _ in range(3):
        await uncount_reaction(batch(reaction_gone()), picks_db)
    assert await counts(picks_db) == {"like": 1}


async def test_of_what_nobody_reacts_with_any_more_nothing_is_left(picks_db: Db) -> None:
    await count_reaction(batch(reacted(), reacted(ANA)), picks_db)
    await uncount_reaction(batch(reaction_gone(), reaction_gone(ANA)), picks_db)
    assert await counts(picks_db) == {}


async def test_a_late_end_of_an_earlier_life_ends_nothing(picks_db: Db) -> None:
    await count_reaction(batch(reacted(version=3)), picks_db)
    await uncount_reaction(batch(reaction_gone(version=2)), picks_db)
    assert await counts(picks_db) == {"like": 1}


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_topics_commute(picks_db: Db, order: tuple[int, ...]) -> None:
    steps = [
        (show, batch(published())),
        (count_reaction, batch(reacted())),
        (count_reaction, batch(reacted(ANA, "love"))),
    ]
    for n in order:
        handler, messages = steps[n]
        await handler(messages, picks_db)
    assert await counts(picks_db) == {"like": 1, "love": 1}
    assert await picks_db.fetchval("SELECT count(*) FROM pick") == 1


async def author(db: Db) -> Any:
    found = await db.fetchval("SELECT body FROM author WHERE account_id = $1", ANA)
    return None if found is None else orjson.loads(found)


async def test_an_author_is_kept_in_the_newest_state(picks_db: Db) -> None:
    renamed = HandleChanged(**an_account(handle="anna", display_name="Anna").model_dump() | {"version": 3})

    await introduce(batch(renamed), picks_db)
    await introduce(batch(an_account(display_name="Ana", version=2)), picks_db)

    assert await author(picks_db) == {"id": str(ANA), "handle": "anna", "display_name": "Anna"}


async def test_of_an_author_who_is_deactivated_only_the_id_is_kept(picks_db: Db) -> None:
    await introduce(batch(an_account(display_name="Ana", standing="deactivated")), picks_db)

    assert await author(picks_db) == {"id": str(ANA)}


async def test_an_author_who_is_gone_is_forgotten_and_one_who_is_newer_is_not(picks_db: Db) -> None:
    await introduce(batch(an_account(version=3)), picks_db)

    await forget(batch(AccountGone(account_id=ANA, version=2)), picks_db)
    kept = await author(picks_db)
    await forget(batch(AccountGone(account_id=ANA, version=4)), picks_db)

    assert kept is not None
    assert await author(picks_db) is None
