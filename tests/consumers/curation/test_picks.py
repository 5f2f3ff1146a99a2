"""Curation's decisions: publish, edit, delete, restore, and the end of a pick."""

from datetime import timedelta
from typing import Any

import pytest

from consumers.curation.app import bury_picks, delete_pick, edit_pick, publish_pick, restore_pick
from consumers.curation.rules import RESTORABLE
from infra.partitions import partition_of
from infra.runtime import Db, Refusal, Unchanged, gone
from schemas.message import Tick
from schemas.picks import (
    DeletePick,
    EditPick,
    PickDeleted,
    PickEdited,
    PickGone,
    PickRestored,
    RestorePick,
)
from schemas.topics import PICK_COMMANDS, PICK_EVENTS
from tests.given import ANA, BO, DISPOSSESSED, NOON, PICK, SOLARIS, a_pick, a_state, added, meta, published


def an_edit(**fields: Any) -> EditPick:
    return EditPick(pick_id=PICK, author_id=ANA, **fields)


A_DELETION = DeletePick(pick_id=PICK, author_id=ANA)
A_RESTORATION = RestorePick(pick_id=PICK, author_id=ANA)


async def test_the_first_pick_of_a_thing_adds_the_thing(curation_db: Db) -> None:
    outcome = await publish_pick(a_pick(note="Read it.", rating=4.5, tags=("sf",)), meta(), curation_db)
    assert outcome == [added(), published(note="Read it.", rating=4.5, tags=("sf",))]


async def test_a_second_picker_adds_no_thing_and_changes_no_title(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    renamed = DISPOSSESSED.model_copy(update={"title": "Another title"})
    outcome = await publish_pick(a_pick(BO, renamed), meta(BO), curation_db)
    assert outcome == [published(BO)]


async def test_a_pick_keeps_the_time_it_was_picked_at(curation_db: Db) -> None:
    earlier = NOON - timedelta(days=9000)
    outcome = await publish_pick(a_pick(picked_at=earlier), meta(), curation_db)
    assert outcome == [added(), published(picked_at=earlier)]


async def test_a_person_picks_a_thing_once(curation_db: Db) -> None:
    first = meta()
    await publish_pick(a_pick(), first, curation_db)
    outcome = await publish_pick(a_pick(note="again"), meta(minutes=1), curation_db)
    assert outcome == Refusal("already_picked", after=first.id)


async def test_a_refused_pick_adds_no_thing(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    other = a_pick(thing=SOLARIS).model_copy(update={"pick_id": PICK})
    assert isinstance(await publish_pick(other, meta(), curation_db), Refusal)
    assert await publish_pick(a_pick(BO, SOLARIS), meta(BO), curation_db) == [
        added(SOLARIS),
        published(BO, SOLARIS),
    ]


async def test_one_person_may_pick_two_things(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    assert await publish_pick(a_pick(thing=SOLARIS), meta(), curation_db) == [
        added(SOLARIS),
        published(thing=SOLARIS),
    ]


async def test_a_deleted_pick_is_not_published_again_but_restored(curation_db: Db) -> None:
    deletion = meta(minutes=1)
    await publish_pick(a_pick(), meta(), curation_db)
    await delete_pick(A_DELETION, deletion, curation_db)
    outcome = await publish_pick(a_pick(), meta(minutes=2), curation_db)
    assert outcome == Refusal("deleted", after=deletion.id)


async def test_a_new_life_goes_on_from_the_version_of_the_last(curation_db: Db) -> None:
    await gone.remember(curation_db, [(PICK_EVENTS.name, str(PICK), 7)])
    assert await publish_pick(a_pick(), meta(), curation_db) == [added(), published(version=8)]
    edited = await edit_pick(an_edit(note="new"), meta(expected_version=8), curation_db)
    assert edited == a_state(PickEdited, note="new", version=9, edited_at=NOON)


async def test_an_edit_changes_what_is_set_and_nothing_else(curation_db: Db) -> None:
    await publish_pick(a_pick(note="old", rating=3, tags=("sf",)), meta(), curation_db)
    outcome = await edit_pick(an_edit(note="new"), meta(minutes=5, expected_version=1), curation_db)
    assert outcome == a_state(
        PickEdited,
        note="new",
        rating=3,
        tags=("sf",),
        version=2,
        edited_at=NOON + timedelta(minutes=5),
    )


async def test_an_edit_may_clear_the_rating(curation_db: Db) -> None:
    await publish_pick(a_pick(rating=3), meta(), curation_db)
    outcome = await edit_pick(an_edit(rating=None), meta(), curation_db)
    assert isinstance(outcome, PickEdited)
    assert outcome.rating is None


async def test_an_edit_that_changes_nothing_is_none(curation_db: Db) -> None:
    first = meta()
    await publish_pick(a_pick(note="same"), first, curation_db)
    assert await edit_pick(an_edit(note="same"), meta(), curation_db) == Unchanged(after=first.id)


async def test_an_edit_of_another_version_than_the_newest_is_stale(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    second = meta(minutes=1)
    await edit_pick(an_edit(note="second"), second, curation_db)
    outcome = await edit_pick(an_edit(note="third"), meta(expected_version=1), curation_db)
    assert outcome == Refusal("stale", after=second.id)


@pytest.mark.parametrize(
    ("handler", "command"),
    [
        (edit_pick, EditPick(pick_id=PICK, author_id=BO, note="mine")),
        (delete_pick, DeletePick(pick_id=PICK, author_id=BO)),
        (restore_pick, RestorePick(pick_id=PICK, author_id=BO)),
    ],
)
async def test_nobody_changes_the_pick_of_another(handler: Any, command: Any, curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    assert await handler(command, meta(BO), curation_db) == Refusal("not_yours")


@pytest.mark.parametrize(
    ("handler", "command"),
    [(edit_pick, an_edit(note="x")), (delete_pick, A_DELETION), (restore_pick, A_RESTORATION)],
)
async def test_what_is_not_there_is_not_found(handler: Any, command: Any, curation_db: Db) -> None:
    assert await handler(command, meta(), curation_db) == Refusal("not_found")


async def test_a_deletion_is_a_state_and_can_be_taken_back(curation_db: Db) -> None:
    await publish_pick(a_pick(note="n"), meta(), curation_db)
    at = NOON + timedelta(minutes=3)
    deleted = await delete_pick(A_DELETION, meta(minutes=3), curation_db)
    assert deleted == a_state(PickDeleted, note="n", version=2, deleted_at=at)
    assert await restore_pick(A_RESTORATION, meta(minutes=4), curation_db) == a_state(
        PickRestored, note="n", version=3
    )


async def test_a_deleted_pick_takes_no_edit(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    deletion = meta()
    await delete_pick(A_DELETION, deletion, curation_db)
    assert await edit_pick(an_edit(note="x"), meta(), curation_db) == Refusal("deleted", after=deletion.id)


async def test_a_deletion_or_restoration_of_another_version_than_the_newest_is_stale(curation_db: Db) -> None:
    first, second = meta(), meta()
    await publish_pick(a_pick(), first, curation_db)
    assert await delete_pick(A_DELETION, meta(expected_version=2), curation_db) == Refusal(
        "stale", after=first.id
    )
    await delete_pick(A_DELETION, second, curation_db)
    assert await restore_pick(A_RESTORATION, meta(expected_version=1), curation_db) == Refusal(
        "stale", after=second.id
    )


async def test_deleting_twice_and_restoring_what_is_up_changes_nothing(curation_db: Db) -> None:
    first, second = meta(), meta()
    await publish_pick(a_pick(), first, curation_db)
    assert await restore_pick(A_RESTORATION, meta(), curation_db) == Unchanged(after=first.id)
    await delete_pick(A_DELETION, second, curation_db)
    assert await delete_pick(A_DELETION, meta(), curation_db) == Unchanged(after=second.id)


async def test_a_pick_that_was_not_restored_in_time_ends_on_its_partitions_tick(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    await delete_pick(A_DELETION, meta(), curation_db)
    mine = partition_of(str(PICK), PICK_COMMANDS)
    due = RESTORABLE.total_seconds() / 60

    async def tick(partition: int, minutes: float) -> Any:
        message = Tick(topic=PICK_COMMANDS.name, partition=partition)
        return await bury_picks(message, meta(None, minutes=minutes), curation_db)

    assert await tick(mine, due - 1) == []
    assert await tick((mine + 1) % 12, due) == []
    assert await tick(mine, due) == [PickGone(pick_id=PICK, version=3)]
    assert await tick(mine, due) == []


async def test_a_restored_pick_falls_due_no_more(curation_db: Db) -> None:
    await publish_pick(a_pick(), meta(), curation_db)
    await delete_pick(A_DELETION, meta(), curation_db)
    await restore_pick(A_RESTORATION, meta(), curation_db)
    tick = Tick(topic=PICK_COMMANDS.name, partition=partition_of(str(PICK), PICK_COMMANDS))
    assert await bury_picks(tick, meta(None, minutes=10**6), curation_db) == []
