"""The relay while all is well, and its rights: whole, in order, with every place written down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import RequestTimedOutError

from infra.process import Process
from infra.wake import Waker
from producers.outbox import PAGE_BYTES, PAGE_ROWS, Outbox
from producers.relay import Relay
from schemas.topics import PICK_EVENTS, THING_EVENTS, Kind, Topic
from tests.producers.reading import ends, read
from tests.producers.world import SCHEMA, Event, World, copies, until

ALL = [
    Event(f"key-{number % 300}", version=number // 300 + 1, topic=(PICK_EVENTS, THING_EVENTS)[number % 2])
    for number in range(4 * PAGE_ROWS + 7)
]


@asynccontextmanager
async def relaying(world: World) -> AsyncIterator[Relay]:
    """A relay of SCHEMA in this process."""
    process, waker = Process(), Waker(world.settings)
    relay = Relay(SCHEMA, world.settings, process, waker)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        process.stopping.set()
        await asyncio.wait_for(task, 15)
        await waker.close()


async def test_a_long_outbox_is_sent_whole_and_in_order(world: World) -> None:
    since = {topic: await ends(world.settings, topic) for topic in (PICK_EVENTS, THING_EVENTS)}
    await world.post(ALL)

    async with relaying(world):
        await world.until_sent()

    for topic, offsets in since.items():
        sent = await copies(world.settings, offsets, topic)
        expected = [event for event in ALL if event.topic is topic]
        assert sorted(copy.id for copy in sent) == sorted(str(event.id) for event in expected)
        for key in {event.key for event in expected}:
            versions = [copy.version for copy in sent if copy.key == key]
            assert versions == sorted(versions)


async def test_a_record_carries_key_headers_and_body_and_a_tombstone_none(world: World) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    state, end = Event("pick-1", 1, body=b'{"note":"\xc3\xa9"}'), Event("pick-1", 2, body=None)
    await world.post([state, end])

    async with relaying(world):
        await world.until_sent()

    records = await read(world.settings, PICK_EVENTS, since)
    assert [record.value for record in records] == [state.body, None]
    assert [record.key for record in records] == [b"pick-1", b"pick-1"]
    for event, record in zip((state, end), records, strict=True):
        assert {name: value.decode() for name, value in record.headers} == event.headers


async def test_a_decision_learns_the_places_of_all_its_events_also_over_pages(world: World) -> None:
    since = {topic: await ends(world.settings, topic) for topic in (PICK_EVENTS, THING_EVENTS)}
    small, large = uuid4(), uuid4()
    events = [Event("a", cause=small, topic=THING_EVENTS), Event("b", cause=small)]
    events += [Event(f"k{number}", cause=large) for number in range(PAGE_ROWS + 100)]
    await world.post(events)

    async with relaying(world):
        await world.until_sent()

    places = {
        copy.id: copy.place
        for topic, offsets in since.items()
        for copy in await copies(world.settings, offsets, topic)
    }
    for cause in (small, large):
        assert await world.offsets(cause) == {
            str(e.id): places[str(e.id)] for e in events if e.cause == cause
        }


async def test_events_that_no_command_caused_are_sent_too(world: World) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    await world.post([Event("a"), Event("b")], commands=False)

    async with relaying(world):
        await world.until_sent()

    assert len(await copies(world.settings, since)) == 2


async def test_large_events_go_in_several_pages_and_nothing_overtakes(world: World) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    count = PAGE_BYTES // 200_000 + 10
    events = [Event("fat", number + 1, body=b"x" * 200_000) for number in range(count)]
    events.append(Event("fat", count + 1, body=None))
    await world.post(events)
    outbox = await Outbox.connect(world.settings, SCHEMA)
    page = await outbox.page()
    await outbox.close()
    assert 0 < sum(len(row.body or b"") for row in page) < PAGE_BYTES + 200_000
    assert [row.id for row in page] == list(range(page[0].id, page[0].id + len(page)))

    async with relaying(world):
        await world.until_sent()

    assert [copy.version for copy in await copies(world.settings, since)] == list(range(1, count + 2))


async def test_sending_wakes_those_who_wait_for_the_group(world: World) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    waker = Waker(world.settings)
    listening = asyncio.create_task(waker.listen(heard.put_nowait))

    async with relaying(world):
        while heard.empty():  # until the listener has subscribed, wake-ups are lost
            await world.post([Event("a")])
            await world.until_sent()

    assert await heard.get() == SCHEMA
    listening.cancel()
    await waker.close()


async def test_one_of_two_relays_sends_and_the_other_takes_over(world: World) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    first, second = Event("a", 1), Event("a", 2)

    async with relaying(world) as standby:
        async with relaying(world) as leader:
            await world.post([first])
            await world.until_sent()
            await until(lambda: ready(standby, leader), "one leads, one stands by, both are ready")
        await world.post([second])
        await world.until_sent()

    assert [copy.id for copy in await copies(world.settings, since)] == [str(first.id), str(second.id)]


async def ready(*relays: Relay) -> bool:
    """Whether all of them say so."""
    return not any(relay.why_not_ready() or relay.why_not_alive() for relay in relays)


async def test_an_event_that_cannot_be_sent_stops_the_outbox_and_says_why(world: World) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    nowhere = Event("b", topic=Topic("test.nowhere", Kind.STATE, "test", "never made"))
    before, after = Event("a"), Event("c")
    await world.post([before, nowhere, after])

    async with relaying(world) as relay:
        await until(lambda: says(relay, "UnknownTopicOrPartition"), "it does not say why")
        assert await copies(world.settings, since) == []
        assert await world.waiting() == 3
        await world.connection.execute("DELETE FROM outbox WHERE event_id = $1", nowhere.id)
        await world.until_sent()

    assert {copy.id for copy in await copies(world.settings, since)} == {str(before.id), str(after.id)}


async def test_a_page_of_which_the_broker_refuses_a_part_is_not_committed_at_all(world: World) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    too_large = Event("b", body=b"x" * 2_000_000)
    page = [Event("a"), too_large, Event("c")]
    await world.post(page)

    async with relaying(world) as relay:
        await until(lambda: says(relay, "MessageSizeTooLarge"), "it does not say why")
        assert await copies(world.settings, since) == []
        await world.connection.execute("DELETE FROM outbox WHERE event_id = $1", too_large.id)
        await world.until_sent()

    assert sorted(copy.key for copy in await copies(world.settings, since)) == ["a", "c"]
    assert len(await copies(world.settings, since, committed=False)) > 2, "there was no failed attempt"


async def says(relay: Relay, word: str) -> bool:
    """Whether the relay names this as the reason why it is not ready."""
    return word in (relay.why_not_ready() or "")


@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_without_an_answer_means_the_page_is_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    since = await ends(world.settings, PICK_EVENTS)
    events = [Event("a"), Event("b")]
    commit: Callable[[AIOKafkaProducer], Awaitable[None]] = AIOKafkaProducer.commit_transaction
    calls = 0

    async def lose_the_first_answer(producer: AIOKafkaProducer) -> None:
        nonlocal calls
        calls += 1
        if calls > 1 or committed:
            await commit(producer)
        if calls == 1:
            raise RequestTimedOutError

    monkeypatch.setattr(AIOKafkaProducer, "commit_transaction", lose_the_first_answer)
    await world.post(events)
    async with relaying(world):
        await world.until_sent()

    sent = await copies(world.settings, since)
    for event in events:
        places = [copy.place for copy in sent if copy.id == str(event.id)]
        assert len(places) == (2 if committed else 1)
        assert await world.offsets(event.cause) == {str(event.id): places[-1]}
