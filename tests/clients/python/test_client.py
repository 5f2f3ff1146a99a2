"""Every route of the contract through the typed client, over real HTTP."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from clients.python import (
    CommandNotDoneError,
    Conflict,
    Invalid,
    NewPick,
    NewThing,
    NotFound,
    Pick,
    PickChanges,
    Pickly,
    Stale,
    Unauthorized,
)
from tests.clients.platform import Platform, account_of

DISPOSSESSED = NewThing(ref="isbn:9780061054884", kind="book", title="The Dispossessed")


def a_pick(ref: str = DISPOSSESSED.ref) -> NewPick:
    """A pick with everything."""
    thing = DISPOSSESSED.model_copy(update={"ref": ref})
    at = datetime(2020, 1, 2, tzinfo=UTC)
    return NewPick(thing=thing, note="read it", rating=4.5, tags=["utopia"], picked_at=at)


async def published(pickly: Pickly, ref: str = DISPOSSESSED.ref) -> Pick:
    """A pick that is visible."""
    written = await pickly.publish(a_pick(ref), wait=5)
    assert written.pick is not None
    return written.pick


async def test_a_published_pick_is_read_back_as_it_was_sent(ana: Pickly) -> None:
    written = await ana.publish(a_pick(), wait=5)

    assert written.status == "done"
    assert written.pick is not None
    shown = await ana.pick(written.pick.id, after=written)
    assert shown == written.pick
    assert (shown.author.id, shown.note, shown.rating) == (UUID(account_of("ana")), "read it", 4.5)
    assert (shown.thing.ref, shown.tags, shown.picked_at.year) == (DISPOSSESSED.ref, ["utopia"], 2020)


async def test_without_wait_the_answer_says_where_the_fate_can_be_read(ana: Pickly) -> None:
    written = await ana.publish(a_pick())

    assert (written.status, written.pick) == ("pending", None)
    assert (await ana.command(written)).status == "done"
    assert (await ana.command(written.command_id)).resource == written.resource
    assert (await ana.command(written.location)).id == written.command_id


async def test_a_command_is_asked_for_until_it_is_done(ana: Pickly, platform: Platform) -> None:
    platform.polls_until_done = 3

    command = await ana.wait_until_done(await ana.publish(a_pick()))

    assert command.status == "done"
    assert len(platform.sent("GET", "/v1/commands/")) == 3


async def test_waiting_for_a_refused_command_raises_with_its_reason(ana: Pickly, platform: Platform) -> None:
    platform.refuses[DISPOSSESSED.ref] = "too_many_today"

    with pytest.raises(CommandNotDoneError, match="too_many_today") as caught:
        await ana.wait_until_done(await ana.publish(a_pick()))

    assert caught.value.command.status == "refused"


async def test_waiting_ends_when_its_time_is_over(ana: Pickly, platform: Platform) -> None:
    platform.polls_until_done = 1_000_000

    with pytest.raises(CommandNotDoneError) as caught:
        await ana.wait_until_done(await ana.publish(a_pick()), within=0.1)

    assert caught.value.command.status == "pending"


async def test_a_second_pick_of_the_same_thing_is_a_conflict_that_links_to_the_first(ana: Pickly) -> None:
    first = await ana.publish(a_pick(), wait=5)

    with pytest.raises(Conflict) as caught:
        await ana.publish(a_pick(), wait=5)

    assert (caught.value.slug, caught.value.resource) == ("already-picked", first.resource)


async def test_an_edit_sends_the_etag_and_only_what_changes(ana: Pickly, platform: Platform) -> None:
    pick = await published(ana)
    assert pick.etag is not None

    edited = await ana.edit(pick.id, PickChanges(rating=None), if_match=pick.etag, wait=5)

    sent = platform.sent("PATCH")[0]
    assert (sent.body, sent.headers["if-match"]) == (b'{"rating":null}', pick.etag)
    assert edited.pick is not None
    assert (edited.pick.rating, edited.pick.note, edited.pick.version) == (None, "read it", 2)


async def test_an_edit_of_what_has_changed_since_is_stale(ana: Pickly) -> None:
    pick = await published(ana)
    await ana.edit(pick.id, PickChanges(note="again"), if_match='"1-0"', wait=5)

    with pytest.raises(Stale):
        await ana.edit(pick.id, PickChanges(note="too late"), if_match='"1-0"', wait=5)


async def test_a_deleted_pick_is_not_found_until_it_is_restored(ana: Pickly) -> None:
    pick = await published(ana)

    deleted = await ana.delete(pick.id, wait=5)
    assert deleted.pick is not None
    assert deleted.pick.deleted_at is not None
    with pytest.raises(NotFound):
        await ana.pick(pick.id)
    await ana.restore(pick.id, wait=5)

    assert (await ana.pick(pick.id)).thing.ref == DISPOSSESSED.ref


async def test_a_reaction_comes_and_goes(ana: Pickly) -> None:
    pick = await published(ana)

    liked = await ana.react(pick.id, "like", wait=5)
    unliked = await ana.unreact(pick.id, "like", wait=5)

    assert liked.pick is not None
    assert unliked.pick is not None
    assert (liked.pick.reactions, unliked.pick.reactions) == ({"like": 1}, {})


async def test_a_thing_is_found_by_ref_and_by_id(ana: Pickly) -> None:
    await published(ana)

    found = await ana.find_thing(DISPOSSESSED.ref)

    assert found is not None
    assert (found.pick_count, found.rating_mean, found.rating_histogram["4.5"]) == (1, 4.5, 1)
    thing = await ana.thing(found.id)
    assert thing == found.model_copy(update={"etag": thing.etag})
    assert await ana.find_thing("isbn:0000000000") is None


async def test_what_has_not_changed_is_not_sent_again(ana: Pickly, platform: Platform) -> None:
    pick = await ana.pick((await published(ana)).id)

    assert await ana.pick(pick.id, known=pick) is pick
    await ana.react(pick.id, "like", wait=5)

    assert (await ana.pick(pick.id, known=pick)).reactions == {"like": 1}


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_lists_are_read_to_their_end_whatever_the_page(ana: Pickly, limit: int) -> None:
    picks = [await published(ana, f"isbn:978000000000{number}") for number in range(7)]
    ids = {pick.id for pick in picks}

    latest = [pick async for pick in ana.latest(limit=limit)]
    by_handle = [pick.id async for pick in ana.account_picks("@ana", limit=limit)]
    by_id = [pick.id async for pick in ana.account_picks(UUID(account_of("ana")), limit=limit)]
    of_thing = [pick.id async for pick in ana.thing_picks(picks[0].thing.id, limit=limit)]

    assert [pick.published_at for pick in latest] == sorted((p.published_at for p in picks), reverse=True)
    assert (len(latest), {pick.id for pick in latest}) == (7, ids)
    assert (len(by_handle), set(by_handle), by_id) == (7, ids, by_handle)
    assert of_thing == [picks[0].id]


async def test_every_read_can_ask_for_ones_own_write(ana: Pickly, platform: Platform) -> None:
    written = await ana.publish(a_pick(), wait=5)
    thing = await ana.find_thing(DISPOSSESSED.ref, after=written)
    assert thing is not None
    assert written.pick is not None

    await ana.thing(thing.id, after=written)
    await ana.pick(written.pick.id, after=written.command_id)
    command = await ana.command(written)
    lists = (
        ana.latest(after=written),
        ana.account_picks("@ana", after=command),
        ana.thing_picks(thing.id, after=written),
    )
    assert [len([pick async for pick in pages]) for pages in lists] == [1, 1, 1]

    asked = [
        seen.headers.get("pickly-after") for seen in platform.sent("GET") if "/commands/" not in seen.path
    ]
    assert asked == [str(written.command_id)] * 6


async def test_another_body_under_the_same_key_is_invalid(ana: Pickly) -> None:
    await ana.publish(a_pick(), key="one")

    with pytest.raises(Invalid, match="key-used"):
        await ana.publish(a_pick("isbn:0000000000"), key="one")


async def test_a_write_without_a_token_is_unauthorized(ana: Pickly) -> None:
    with pytest.raises(Unauthorized):
        await ana.acting_as(None).publish(a_pick())


async def test_a_foreign_command_is_pending_like_one_that_nobody_knows(ana: Pickly) -> None:
    written = await ana.publish(a_pick())

    command = await ana.acting_as("token-of-ben").command(written)

    assert (command.status, command.type) == ("pending", None)


async def test_of_a_thing_that_is_not_known_yet_a_pick_has_the_id(ana: Pickly, platform: Platform) -> None:
    pick = await published(ana)
    shown = platform.picks[str(pick.id)]
    shown["thing"] = {"id": shown["thing"]["id"]}

    thing = (await ana.pick(pick.id)).thing

    assert (thing.id, thing.ref, thing.title) == (pick.thing.id, None, None)


async def test_an_unknown_pick_is_not_found(ana: Pickly) -> None:
    with pytest.raises(NotFound):
        await ana.pick(uuid4())


@pytest.mark.parametrize(
    "wrong",
    [
        {"rating": 4.3},
        {"rating": 5.5},
        {"note": "x" * 2001},
        {"tags": ["x"] * 11},
        {"tags": [""]},
        {"picked_at": "2020-01-01T00:00:00"},
        {"stars": 4},
    ],
    ids=lambda wrong: str(wrong)[:20],
)
def test_what_the_contract_forbids_is_not_sent(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NewPick.model_validate({"thing": DISPOSSESSED, **wrong})
