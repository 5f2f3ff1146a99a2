"""A trace tells each step with its time: asked, asked again, set aside, decided, appended, shown where."""

import json
from datetime import timedelta
from uuid import uuid4

from infra.ops.trace_model import Reader, Row, Trace
from infra.ops.trace_reading import trace
from infra.ops.trace_text import lines
from tests.infra.ops.lag.asking import ask, decide, event
from tests.infra.ops.lag.world import World, run

SOON = timedelta(milliseconds=1)


async def told(world: World, id: object) -> tuple[Trace, list[str]]:
    found = await trace(world.settings, str(id))
    return found, list(lines(found))


def steps(text: list[str]) -> list[str]:
    """The words that begin each step of the first journey: what it is."""
    return [line[18:].split()[0] for line in text[1 : text.index("")] if line[18:19].strip()]


async def test_the_moment_of_deciding_stands_between_the_command_and_its_events(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    id, place, offset = await event(world, asked.key)
    places = {id: (*place, offset)}
    await decide(world, asked, "decided", events=1, offsets=places, decided_at=asked.at + SOON)

    found, text = await told(world, asked.id)
    _, out = await run(world.settings, "infra.ops.trace", str(asked.id), "--json")

    assert found.journeys[0].decision.decided_at == asked.at + SOON
    assert "        +0.001 s  decision  decided by curation" in text
    assert json.loads(out)["journeys"][0]["decision"]["seconds"] == 0.001
    appended = json.loads(out)["journeys"][0]["events"][0]["seconds"]
    assert appended == (found.journeys[0].events[0].record.at - asked.at).total_seconds()  # type: ignore[union-attr]  # just sent


async def test_a_decision_that_the_inbox_has_forgotten_has_no_time(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    await decide(world, asked, "unchanged")

    _, text = await told(world, asked.id)

    assert "                  decision  unchanged by curation" in text


async def test_a_command_that_its_sender_sent_again_is_shown_with_each_repeat(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    await decide(world, asked, "unchanged", decided_at=asked.at)
    stranger = await ask(world, asked.key)
    again = [await ask(world, asked.key, id=asked.id) for _ in range(2)]

    found, text = await told(world, asked.id)
    _, out = await run(world.settings, "infra.ops.trace", str(asked.id), "--json")

    (journey,) = found.journeys
    assert journey.command is not None
    assert journey.command.where == (asked.place, asked.offset)
    assert [seen.where[1] for seen in journey.repeats] == [each.offset for each in again]
    assert stranger.offset not in [seen.where[1] for seen in journey.repeats]
    assert steps(text) == ["command", "decision", "repeat", "repeat"]
    assert [each["offset"] for each in json.loads(out)["journeys"][0]["command"]["repeats"]] == [
        each.offset for each in again
    ]


async def test_a_command_that_was_set_aside_and_replayed_keeps_its_own_time_and_place(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    replayed = asked.at + timedelta(hours=1)
    await decide(world, asked, "decided", decided_at=replayed)
    await world.letter(
        "curation", asked.place, asked.offset, asked.key, message_id=asked.id, closed_at=replayed
    )
    await world.db.execute("UPDATE curation.decision SET at = $1", replayed)

    found, text = await told(world, asked.id)

    (journey,) = found.journeys
    assert journey.command is not None
    assert (journey.command.where[1], journey.asked_at) == (asked.offset, asked.at)
    assert steps(text) == ["command", "letter", "decision"]
    assert any("after 4 tries" in line for line in text)


def rows(trace: Trace) -> dict[str, list[Row]]:
    return {reader.group: list(reader.rows) for reader in _readers(trace)}


def _readers(trace: Trace) -> list[Reader]:
    return [reader for journey in trace.journeys for event in journey.events for reader in event.readers]


async def test_the_rows_that_show_an_event_are_told_by_table_and_version(world: World) -> None:
    asked = await ask(world, str(uuid4()))
    id, place, offset = await event(world, asked.key)
    await decide(world, asked, "decided", events=1, offsets={id: (*place, offset)})
    await world.db.execute(
        "INSERT INTO read_picks.pick VALUES ($1::text::uuid, $2, $2, 3, now(), now(), NULL, 'secret')",
        asked.key,
        uuid4(),
    )

    found, text = await told(world, asked.id)
    _, out = await run(world.settings, "infra.ops.trace", str(asked.id), "--json")

    assert rows(found) == {
        "social": [], "read_picks": [Row("pick", 3)], "read_things": [Row("pick_edge", None)],
    }  # fmt: skip
    assert any("row in pick at version 3, a newer one" in line for line in text)
    assert any("no row in pick_edge" in line for line in text)
    assert {"table": "pick", "version": 3} in json.loads(out)["journeys"][0]["events"][0]["readers"][1][
        "rows"
    ]
    assert "secret" not in out


async def test_the_row_of_an_edge_is_found_by_its_whole_key(world: World) -> None:
    pick, account = uuid4(), uuid4()
    edge = f"{pick}/{account}/like"
    asked = await ask(world, edge, kind="React", topic="reaction.commands")
    id, place, offset = await event(world, edge, kind="Reacted", topic="reaction.events")
    places = {id: (*place, offset)}
    await decide(world, asked, "decided", schema="social", kind="reactions", events=1, offsets=places)
    await world.db.executemany(
        "INSERT INTO read_picks.reaction VALUES ($1, $2, $3, $4)",
        [(pick, account, "like", 1), (pick, account, "love", 7), (pick, uuid4(), "like", 8)],
    )

    found, text = await told(world, asked.id)

    assert rows(found) == {"read_picks": [Row("reaction", 1)]}
    assert any(line.endswith("row in reaction at version 1") for line in text)


async def test_a_key_that_is_none_has_no_rows_and_spoils_nothing(world: World) -> None:
    asked = await ask(world, "no-uuid")
    id, place, offset = await event(world, "no-uuid")
    await decide(world, asked, "decided", events=1, offsets={id: (*place, offset)})

    found, _ = await told(world, asked.id)

    assert rows(found)["read_picks"] == [Row("pick", None)]
