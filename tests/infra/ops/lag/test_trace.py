"""A trace tells the whole journey, from what was asked to who has seen it, and never what was in it."""

import json
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from infra.ops import trace_database
from infra.ops.trace_model import Trace
from infra.ops.trace_reading import trace
from infra.ops.trace_text import lines
from infra.partitions import partition_of
from infra.roles import DECIDERS
from schemas.topics import PICK_COMMANDS, PICK_EVENTS, REACTION_COMMANDS
from tests.infra.ops.lag.asking import SECRET, ask, decide, event, headers
from tests.infra.ops.lag.world import World, run


async def told(world: World, id: object) -> tuple[Trace, list[str]]:
    found = await trace(world.settings, str(id))
    return found, list(lines(found))


async def test_an_accepted_command_is_shown_from_its_record_to_every_reader(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    id, place, offset = await event(world, asked.key)
    await decide(world, asked, "decided", events=1, offsets={id: (*place, offset)})
    await world.move("read_picks", place, 1)

    found, text = await told(world, asked.id)

    (journey,) = found.journeys
    assert journey.command is not None
    assert journey.command.where == (asked.place, asked.offset)
    assert journey.decision.status == "decided"
    (shown,) = journey.events
    assert shown.record is not None
    assert (shown.id, shown.where, shown.record.type, shown.record.sequence) == (
        id, (place, offset), "PickPublished", "1",
    )  # fmt: skip
    assert {reader.group: reader.state for reader in shown.readers} == {
        "social": "coming", "read_picks": "passed", "read_things": "coming",
    }  # fmt: skip
    assert [line.split()[1] for line in text if asked.at.strftime("%H:%M:%S") in line] == ["command"]
    assert found.waiting == []


async def test_a_refused_command_has_its_reason_and_no_events(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    await decide(world, asked, "refused", reason="not_yours")

    found, text = await told(world, asked.id)

    assert [(j.decision.status, j.decision.reason, j.events) for j in found.journeys] == [
        ("refused", "not_yours", [])
    ]
    assert any("refused by curation: not_yours" in line for line in text)


async def test_a_parked_command_is_shown_with_the_letter_that_holds_it(world: World) -> None:
    key = str(uuid4())
    first, second = await ask(world, key), await ask(world, key)
    for asked in (first, second):
        await decide(world, asked, "parked")
        parked = asked is second
        await world.letter("curation", asked.place, asked.offset, key, message_id=asked.id, parked=parked)

    one, text = await told(world, second.id)
    whole, _ = await told(world, key)

    assert [[letter.where[1] for letter in j.letters] for j in one.journeys] == [[second.offset]]
    assert any("parked behind an earlier one of its key; open" in line for line in text)
    assert [(j.decision.command_id, [letter.parked for letter in j.letters]) for j in whole.journeys] == [
        (first.id, [False]), (second.id, [True]),
    ]  # fmt: skip
    assert whole.letters == []


async def test_a_pick_shows_all_that_was_decided_about_it_and_its_edges(world: World) -> None:
    pick, other = str(uuid4()), str(uuid4())
    published = await ask(world, pick)
    edge = f"{pick}/{uuid4()}/like"
    reaction = await ask(world, edge, kind="React", topic="reaction.commands")
    stranger = await ask(world, other)
    await decide(world, published, "decided")
    await decide(world, reaction, "decided", schema="social", kind="reactions")
    await decide(world, stranger, "decided")

    of_pick, of_edge, of_resource = [
        [journey.decision.command_id for journey in (await trace(world.settings, asked)).journeys]
        for asked in (pick, edge, f"picks/{pick}")
    ]

    assert of_pick == of_resource == [published.id, reaction.id]
    assert of_edge == [reaction.id]


async def test_commands_that_wait_for_their_decider_are_found_by_id_key_and_correlation(world: World) -> None:
    key, correlation = str(uuid4()), uuid4()
    asked = await ask(world, key)
    await ask(world, str(uuid4()))
    place = TopicPartition(REACTION_COMMANDS.name, partition_of(key, REACTION_COMMANDS))
    follower = uuid4()
    await world.send(place, headers=headers(follower, "React", correlation=correlation), key=b"z")

    for id, expected in ((asked.id, asked.id), (key, asked.id), (correlation, follower)):
        found, text = await told(world, id)
        assert [each.id for each in found.waiting] == [str(expected)]
        assert "not decided yet" in text[0]


async def test_commands_that_followed_from_a_command_are_part_of_its_journey(world: World) -> None:
    first, second = await ask(world, str(uuid4())), await ask(world, str(uuid4()))
    place = (*second.place, second.offset)
    await decide(world, first, "decided", events=1, offsets={second.id: place})
    await decide(world, second, "refused", reason="later")

    found, _ = await told(world, first.id)

    assert [journey.decision.command_id for journey in found.journeys] == [first.id, second.id]


async def test_what_is_gone_or_not_sent_is_said(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    place = TopicPartition("pick.events", partition_of(asked.key, PICK_EVENTS))
    gone = uuid4()
    await world.abort(place, 1)
    offset = (await world.ends())[place] - 1  # the marker: no record lies there
    await decide(world, asked, "decided", events=3, offsets={gone: (*place, offset)})
    await world.db.execute("UPDATE curation.decision SET at = at - interval '1 day'")

    found, text = await told(world, asked.id)

    (journey,) = found.journeys
    assert journey.command is None
    assert journey.decision.in_outbox == 2
    assert [each.record for each in journey.events] == [None]
    assert any("2 of 3 events are not on their topics yet" in line for line in text)
    assert any("replaced by a newer state" in line for line in text)


async def test_an_event_that_a_projection_set_aside_or_stopped_before_is_said(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    id, place, offset = await event(world, asked.key)
    await decide(world, asked, "decided", events=1, offsets={id: (*place, offset)})
    await world.move("read_picks", place, 1)
    await world.letter("read_picks", place, offset, asked.key, message_id=id)
    await world.db.execute(
        "UPDATE read_things.position SET stopped = 'circuit open' WHERE topic = $1 AND partition = $2", *place
    )

    found, text = await told(world, asked.id)

    states = {reader.group: reader.state for reader in found.journeys[0].events[0].readers}
    assert states == {"social": "coming", "read_picks": "set aside", "read_things": "stopped"}
    assert [letter.group for letter in found.journeys[0].letters] == ["read_picks"]
    assert any("stopped (circuit open)" in line for line in text)


async def test_nothing_that_people_wrote_and_nothing_a_terminal_obeys_is_printed(world: World) -> None:
    key = str(uuid4())
    place = TopicPartition("pick.commands", partition_of(key, PICK_COMMANDS))
    await world.send(
        place,
        headers=[("ce_id", b"x"), ("ce_type", b"\x1b[31mRed"), ("ce_actor", b"ana"), ("x", b"ana")],
        key=key.encode(),
        value=SECRET,
    )
    await world.letter("curation", place, 1, key)

    code, text = await run(world.settings, "infra.ops.trace", key)
    json_code, out = await run(world.settings, "infra.ops.trace", key, "--json")

    assert (code, json_code) == (0, 0)
    assert "?[31mRed" in text
    assert "\x1b" not in text + out
    assert "ana" not in text + out
    assert len(json.loads(out)["waiting"]) == len(json.loads(out)["letters"]) == 1


async def test_an_unknown_id_is_said_to_be_unknown(world: World) -> None:
    code, text = await run(world.settings, "infra.ops.trace", str(uuid4()))
    word_code, word = await run(world.settings, "infra.ops.trace", "no/such'thing%")

    assert (code, word_code) == (1, 1)
    assert "no decision, no dead letter and no waiting command has it" in text
    assert "no decision" in word


async def test_what_is_left_out_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = str(uuid4())
    monkeypatch.setattr(trace_database, "MOST", 1)
    for _ in range(2):
        await decide(world, await ask(world, key), "unchanged")

    found, text = await told(world, key)

    assert len(found.journeys) == 1
    assert "not looked at: decisions before the newest 1" in text


async def test_decisions_about_a_subject_are_found_by_an_index(world: World) -> None:
    await world.db.execute("SET enable_seqscan = off")

    plan = await world.db.fetch(f"EXPLAIN {trace_database.BY_SUBJECT}".replace("$3", "9").replace(
        "length($2)", "0").replace("$2", "''").replace("$1", "'x'"))  # fmt: skip

    assert sum("decision_subject" in line[0] for line in plan) == len(DECIDERS)
