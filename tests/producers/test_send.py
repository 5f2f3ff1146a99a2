"""The sender on a broker that works: every acknowledgement is a record, at the place it names."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from infra.partitions import partition_of
from infra.settings import Settings
from infra.telemetry.context import parse
from producers.errors import NotSentError, RecordTooLargeError, SenderFullError
from producers.send import Sender
from schemas.envelope import Meta
from schemas.picks import DeletePick, PublishPick
from schemas.things import NewThing
from schemas.topics import MAX_BODY, PICK_COMMANDS
from tests.producers.asking import until_sent
from tests.producers.reading import ends, header, read

EIGHT_KIB_NOTE = "\N{OPEN BOOK}" * 2_000


def meta(command: str) -> Meta:
    """A fresh command's envelope."""
    return Meta(id=uuid4(), type=command, at=datetime.now(UTC), subject="picks/x", actor=uuid4())


def pick(pick_id: UUID, note: str = "") -> PublishPick:
    """A wish about one pick; all wishes about it go to one partition."""
    thing = NewThing(ref="imdb:tt0111161", kind="film", title="The Shawshank Redemption")
    return PublishPick(pick_id=pick_id, author_id=uuid4(), thing_id=uuid4(), thing=thing, note=note)


async def test_a_command_is_on_its_topic_with_key_headers_and_body(kafka: Settings, sender: Sender) -> None:
    command = pick(uuid4(), "worth it")
    about = meta("PublishPick")

    partition, offset = await sender.send(command, about)

    [record] = await read(kafka, PICK_COMMANDS, {**await ends(kafka, PICK_COMMANDS), partition: offset})
    assert (record.partition, record.offset) == (partition_of(command.key, PICK_COMMANDS), offset)
    assert record.key == command.key.encode()
    headers = {name: value.decode() for name, value in record.headers}
    assert parse(headers.pop("traceparent")) is not None
    assert headers == about.headers()
    assert PublishPick.model_validate_json(record.value) == command
    assert record.timestamp_type == 1, "the broker's append time"


async def test_two_thousand_large_commands_of_one_partition_are_as_many_records(
    kafka: Settings, sender: Sender
) -> None:
    pick_id = uuid4()
    before = await ends(kafka, PICK_COMMANDS)
    envelopes = [meta("PublishPick") for _ in range(2_000)]
    command = pick(pick_id, EIGHT_KIB_NOTE)
    assert len(command.body()) >= 8_000

    places = await asyncio.gather(*(sender.send(command, each) for each in envelopes))

    records = await read(kafka, PICK_COMMANDS, before)
    assert len(records) == 2_000
    found = {header(record, "ce_id"): (record.partition, record.offset) for record in records}
    assert found == {str(each.id): place for each, place in zip(envelopes, places, strict=True)}


async def test_callers_on_all_partitions_get_the_place_of_their_own_record(
    kafka: Settings, sender: Sender
) -> None:
    before = await ends(kafka, PICK_COMMANDS)
    wishes = [(pick(uuid4(), "x" * (index % 900)), meta("PublishPick")) for index in range(3_000)]

    places = await asyncio.gather(*(sender.send(*wish) for wish in wishes))

    records = await read(kafka, PICK_COMMANDS, before)
    assert {partition for partition, _ in places} == set(range(PICK_COMMANDS.partitions))
    found = {header(record, "ce_id"): (record.partition, record.offset, record.key) for record in records}
    assert found == {
        str(about.id): (*place, command.key.encode())
        for (command, about), place in zip(wishes, places, strict=True)
    }


async def test_one_callers_commands_keep_their_order(kafka: Settings, sender: Sender) -> None:
    pick_id = uuid4()

    places = [await sender.send(pick(pick_id), meta("PublishPick")) for _ in range(20)]

    assert [offset for _, offset in places] == sorted(offset for _, offset in places)


async def test_a_tombstone_has_no_value(kafka: Settings, sender: Sender) -> None:
    before = await ends(kafka, PICK_COMMANDS)

    place = await sender.send_record(PICK_COMMANDS, 7, "some/key", None, {"ce_type": "PickGone"})

    [record] = await read(kafka, PICK_COMMANDS, before)
    assert (record.partition, record.offset) == place
    assert place[0] == 7
    assert record.value is None


async def test_a_record_over_the_limit_is_refused_and_nothing_is_sent(
    kafka: Settings, sender: Sender
) -> None:
    before = await ends(kafka, PICK_COMMANDS)

    with pytest.raises(RecordTooLargeError):
        await sender.send_record(PICK_COMMANDS, 0, "k", b"x" * MAX_BODY, {})

    await sender.send_record(PICK_COMMANDS, 0, "k", b"x" * (MAX_BODY - 1), {})
    assert len(await read(kafka, PICK_COMMANDS, before)) == 1


async def test_a_partition_that_the_topic_does_not_have_is_refused(sender: Sender) -> None:
    with pytest.raises(ValueError, match="no partition 12"):
        await sender.send_record(PICK_COMMANDS, 12, "k", b"{}", {})


async def test_a_full_room_refuses_at_once_and_takes_more_when_there_is_space(kafka: Settings) -> None:
    sender = Sender(kafka, room=50)
    pick_id = uuid4()
    waiting = [asyncio.create_task(sender.send(pick(pick_id), meta("PublishPick"))) for _ in range(50)]
    await asyncio.sleep(0)

    with pytest.raises(SenderFullError):
        await asyncio.wait_for(sender.send(pick(pick_id), meta("PublishPick")), timeout=0.5)
    assert sender.why_not_ready() == "the waiting room is full"

    await sender.start()
    await asyncio.gather(*waiting)
    await sender.send(pick(pick_id), meta("PublishPick"))
    assert sender.why_not_ready() is None
    await sender.stop()


async def test_a_record_whose_caller_gave_up_before_its_turn_is_never_sent(kafka: Settings) -> None:
    sender = Sender(kafka)
    pick_id = uuid4()
    before = await ends(kafka, PICK_COMMANDS)
    impatient = asyncio.create_task(sender.send(pick(pick_id), meta("PublishPick")))
    patient = asyncio.create_task(
        sender.send(DeletePick(pick_id=pick_id, author_id=uuid4()), meta("DeletePick"))
    )
    await asyncio.sleep(0)

    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    await sender.start()
    await patient

    assert [header(record, "ce_type") for record in await read(kafka, PICK_COMMANDS, before)] == [
        "DeletePick"
    ]
    await sender.stop()


async def test_a_record_whose_deadline_passed_before_its_turn_is_never_sent(kafka: Settings) -> None:
    sender = Sender(kafka, deadline=0.2)
    before = await ends(kafka, PICK_COMMANDS)
    late, wish = meta("PublishPick"), pick(uuid4())

    with pytest.raises(NotSentError):
        await sender.send(wish, late)  # nothing is connected so far
    await sender.start()
    await until_sent(sender, PICK_COMMANDS, partition_of(wish.key, PICK_COMMANDS))

    sent = {header(record, "ce_id") for record in await read(kafka, PICK_COMMANDS, before)}
    assert str(late.id) not in sent
    await sender.stop()


async def test_stopping_delivers_what_waits_and_takes_nothing_more(kafka: Settings) -> None:
    sender = Sender(kafka)
    before = await ends(kafka, PICK_COMMANDS)
    await sender.start()
    waiting = [asyncio.create_task(sender.send(pick(uuid4()), meta("PublishPick"))) for _ in range(200)]
    await asyncio.sleep(0)

    await sender.stop()

    await asyncio.gather(*waiting)
    assert len(await read(kafka, PICK_COMMANDS, before)) == 200
    with pytest.raises(NotSentError):
        await sender.send(pick(uuid4()), meta("PublishPick"))
