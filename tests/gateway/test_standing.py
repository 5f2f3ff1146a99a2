"""The standing of a command follows from its decision, positions and dead letters, exactly (section 6)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from gateway.standing import Decision, Event, Evidence, Letter, Position, Sight, Status
from schemas.message import Message
from schemas.picks import PublishPick

COMMAND, EARLIER = uuid4(), uuid4()
PICK = Event("pick.events", 3, 17)
THING = Event("thing.events", 5, 8)
REACTION = Event("reaction.events", 3, 4)
BEHIND, EXACTLY_THERE = Position(17), Position(18)


def decision(
    *events: Event,
    status: str = "decided",
    expected: int | None = None,
    after: UUID | None = None,
    command_id: UUID = COMMAND,
    kind: str = "PublishPick",
) -> Decision:
    """A decision about a pick."""
    number = len(events) if expected is None else expected
    return Decision(
        *(command_id, uuid4(), kind, status, None, "picks/x", None, number, events, after, datetime.now(UTC))
    )


def evidence(*decisions: Decision, letters: Sequence[Letter] = (), **positions: Position) -> Evidence:
    """`read_picks=Position(18)` puts a group behind or past PICK, on all topics and partitions of it."""
    places = {
        (group, event.topic, event.partition): position
        for group, position in positions.items()
        for event in (PICK, THING, REACTION)
    }
    return Evidence({d.command_id: d for d in decisions}, places, frozenset(letters))


def test_a_command_without_a_decision_is_pending() -> None:
    assert evidence().status(COMMAND) is Status.PENDING


def test_done_needs_every_projection_of_done_when() -> None:
    assert PublishPick.done_when == ("read_picks", "read_things")
    made = decision(PICK, THING)

    assert evidence(made, read_picks=EXACTLY_THERE, read_things=BEHIND).status(COMMAND) is Status.PENDING
    assert evidence(made, read_picks=BEHIND, read_things=EXACTLY_THERE).status(COMMAND) is Status.PENDING
    assert evidence(made, read_picks=EXACTLY_THERE, read_things=EXACTLY_THERE).status(COMMAND) is Status.DONE


def test_a_projection_without_a_position_has_not_passed() -> None:
    assert evidence(decision(PICK), read_picks=EXACTLY_THERE).status(COMMAND) is Status.PENDING


def test_a_projection_has_passed_only_when_all_events_are_on_their_topics() -> None:
    for made in (decision(PICK, expected=2), decision(expected=1)):
        seen = evidence(made, read_picks=EXACTLY_THERE, read_things=EXACTLY_THERE)
        assert seen.status(COMMAND) is Status.PENDING


def test_a_position_equal_to_the_offset_has_not_passed_it() -> None:
    seen = evidence(decision(PICK), read_picks=Position(17))

    assert seen.sight(decision(PICK), "read_picks") is Sight.COMING


def test_events_on_topics_that_a_projection_does_not_read_do_not_concern_it() -> None:
    made = decision(THING)

    assert evidence(made, read_things=EXACTLY_THERE).status(COMMAND) is Status.DONE
    assert evidence(made).sight(made, "read_picks") is Sight.PASSED


def test_an_event_on_a_topic_that_is_no_more_concerns_nobody() -> None:
    assert evidence(decision(Event("old.events", 0, 1))).status(COMMAND) is Status.DONE


def test_a_command_without_events_is_done_at_once() -> None:
    assert evidence(decision(status="unchanged")).status(COMMAND) is Status.DONE


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        (("read_picks", "pick.events", 3, 17), Status.DELAYED),
        (("read_picks", "pick.events", 3, 16), Status.DONE),
        (("read_picks", "pick.events", 4, 17), Status.DONE),
        (("social", "pick.events", 3, 17), Status.DONE),
    ],
)
def test_only_an_open_dead_letter_of_its_own_delays(letter: Letter, status: Status) -> None:
    seen = evidence(decision(PICK), letters=[letter], read_picks=EXACTLY_THERE, read_things=EXACTLY_THERE)

    assert seen.status(COMMAND) is status


def test_a_projection_that_stands_still_before_the_event_delays() -> None:
    still = Position(17, "the circuit is open")

    assert evidence(decision(PICK), read_picks=still, read_things=still).status(COMMAND) is Status.DELAYED


def test_a_projection_that_stands_still_behind_the_event_has_shown_it() -> None:
    still = Position(18, "the circuit is open")

    assert evidence(decision(PICK), read_picks=still, read_things=still).status(COMMAND) is Status.DONE


@pytest.mark.parametrize(("status", "shown"), [("parked", Status.DELAYED), ("failed", Status.FAILED)])
def test_what_changed_nothing_is_told_at_once(status: str, shown: Status) -> None:
    assert evidence(decision(status=status)).status(COMMAND) is shown


def test_a_refusal_without_an_earlier_command_is_told_at_once() -> None:
    assert evidence(decision(status="refused")).status(COMMAND) is Status.REFUSED


@pytest.mark.parametrize(("status", "shown"), [("refused", Status.REFUSED), ("unchanged", Status.DONE)])
def test_an_answer_waits_until_the_earlier_command_is_visible(status: str, shown: Status) -> None:
    answer = decision(status=status, after=EARLIER)
    first = decision(PICK, command_id=EARLIER)

    hidden = evidence(answer, first, read_picks=BEHIND, read_things=EXACTLY_THERE)
    visible = evidence(answer, first, read_picks=EXACTLY_THERE, read_things=EXACTLY_THERE)

    assert hidden.status(COMMAND) is Status.PENDING
    assert visible.status(COMMAND) is shown


def test_an_earlier_command_without_a_decision_counts_as_visible() -> None:
    assert evidence(decision(status="refused", after=EARLIER)).status(COMMAND) is Status.REFUSED


def test_an_answer_looks_one_command_back_and_no_further() -> None:
    answer = decision(status="refused", after=EARLIER)
    first = decision(command_id=EARLIER, status="unchanged", after=uuid4())

    assert evidence(answer, first).status(COMMAND) is Status.REFUSED


def test_a_command_of_a_type_that_is_no_more_waits_for_nobody() -> None:
    assert evidence(decision(PICK, kind="OldCommand")).status(COMMAND) is Status.DONE
    assert evidence(decision(PICK, kind="PickPublished")).status(COMMAND) is Status.DONE
    assert "OldCommand" not in Message.catalogue


def test_being_held_up_outweighs_being_on_the_way() -> None:
    seen = evidence(decision(PICK), read_picks=BEHIND, read_things=Position(17, "stopped"))

    assert seen.shown(decision(PICK), ("read_picks", "read_things")) is Sight.HELD_UP
