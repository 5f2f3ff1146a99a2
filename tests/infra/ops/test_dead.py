"""Ops lists, replays and drops dead letters; the owning group does it, and the audit says who asked."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.evidence import gather
from gateway.reads.database import Database
from gateway.standing import Status
from infra.ops import dead_letters, dead_replay
from infra.ops.dead_letters import Filter, LetterError, Place
from infra.ops.dead_replay import drop, replay
from infra.ops.migrate import migrate
from infra.settings import Settings
from schemas.envelope import CONTRACT
from schemas.picks import DeletePick, EditPick
from tests.given import ANA
from tests.infra.ops.conftest import Connect
from tests.infra.ops.dead_people import Curation, address, buggy, command_ids, curating, pick

EVERYTHING = Filter()


@pytest.fixture
async def team(empty: Settings) -> AsyncIterator[Curation]:
    await migrate(empty)
    async with curating(empty) as made:
        yield made


@pytest.fixture
async def ops(team: Curation, connect: Connect) -> Any:
    return await connect(team.settings, "ops")


async def told(settings: Settings, *numbers: int) -> list[Status]:
    """What the gateway tells of commands."""
    ids = command_ids(numbers)
    async with asyncpg.create_pool(settings.dsn("gateway"), min_size=0, max_size=1) as pool:
        evidence = await gather(Database(pool, 5.0), ids)
    return [evidence.status(id) for id in ids]


async def one_key_died(team: Curation) -> Any:
    """A pick whose publication died (command 1), with an edit and a deletion behind it (2, 3)."""
    first = pick("a")
    edit = EditPick(pick_id=first.pick_id, author_id=ANA, rating=4.5)
    await team.take(first, edit, DeletePick(pick_id=first.pick_id, author_id=ANA))
    return first


async def test_after_a_fix_replay_makes_everything_whole(team: Curation, ops: Any, connect: Connect) -> None:
    first = await one_key_died(team)
    await team.take(pick("b", rating=5.0), first_id=9)
    assert await told(team.settings, 1, 2, 3, 9) == [Status.DELAYED] * 3 + [Status.PENDING]

    async with team.replaying():
        outcome = await replay(ops, Filter(reason="handler_failed"), dry_run=False, rate=None)

    assert outcome.whole
    assert outcome.letters == 3, "what is parked behind a letter comes along"
    assert await told(team.settings, 1, 2, 3) == [Status.PENDING] * 3, "decided; the relay is on its way"
    group = await connect(team.settings, "curation")
    row = await group.fetchrow(
        "SELECT rating, version, deleted_at FROM pick WHERE pick_id = $1", first.pick_id
    )
    assert row is not None
    assert (row["rating"], row["version"], row["deleted_at"] is None) == (4.5, 3, False)
    assert await group.fetchval("SELECT count(*) FROM inbox") == 4


async def test_a_dry_run_counts_and_changes_nothing(team: Curation, ops: Any) -> None:
    await one_key_died(team)
    before = await ops.fetch("SELECT * FROM curation.dead_letter ORDER BY record_offset")

    outcome = await replay(ops, EVERYTHING, dry_run=True, rate=None)

    assert outcome.letters == 3
    assert await ops.fetch("SELECT * FROM curation.dead_letter ORDER BY record_offset") == before
    assert await ops.fetchval("SELECT count(*) FROM mesh.audit") == 0


async def test_a_letter_that_fails_again_is_told(
    team: Curation, ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_replay, "PATIENCE", 1.0)
    await one_key_died(team)

    async with team.replaying(buggy()):
        outcome = await replay(ops, EVERYTHING, dry_run=False, rate=None)

    assert not outcome.whole
    assert outcome.states == {"open": 1, "replay": 2}
    assert "1 failed again" in outcome.summary()
    assert await told(team.settings, 1, 2, 3) == [Status.DELAYED] * 3


async def test_what_is_parked_while_a_replay_runs_comes_along(
    team: Curation, ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await one_key_died(team)
    settled = dead_replay._settled

    async def meanwhile(db: Any, letters: Any) -> Any:
        if len(letters) == 3:
            await team.take(EditPick(pick_id=first.pick_id, author_id=ANA, note="new"), first_id=4)
        async with team.replaying():
            return await settled(db, letters)

    monkeypatch.setattr(dead_replay, "_settled", meanwhile)

    outcome = await replay(ops, Filter(reason="handler_failed"), dry_run=False, rate=None)

    assert (outcome.letters, outcome.whole) == (4, True)


async def test_a_rate_spreads_the_marks_oldest_first(team: Curation, ops: Any) -> None:
    picks = [pick(title) for title in "abcd"]
    await team.take(*picks)

    async with team.replaying():
        outcome = await replay(ops, EVERYTHING, dry_run=False, rate=2)

    assert outcome.whole
    audit = await ops.fetch("SELECT letters, at FROM mesh.audit ORDER BY id")
    assert [row["letters"] for row in audit] == [2, 2]
    assert (audit[1]["at"] - audit[0]["at"]).total_seconds() > 0.9


async def test_drop_is_the_only_way_to_failed_and_followers_stay(
    team: Curation, ops: Any, connect: Connect
) -> None:
    first = await one_key_died(team)
    place = Place.parse(address(first, 0))

    async with team.replaying():
        outcome = await drop(ops, place, "spam, see ticket 7")

    assert outcome.whole
    assert await told(team.settings, 1, 2, 3) == [Status.FAILED, Status.DELAYED, Status.DELAYED]
    row, behind = await dead_letters.read(ops, place)
    assert (row["state"], row["body"], behind) == ("dropped", None, 2)
    assert row["note"].endswith(": spam, see ticket 7")

    async with team.replaying():
        assert (await replay(ops, EVERYTHING, dry_run=False, rate=None)).whole
    group = await connect(team.settings, "curation")
    rows = await group.fetch("SELECT status, reason FROM decision ORDER BY command_id")
    assert [tuple(row) for row in rows] == [
        ("failed", "dropped"),
        ("refused", "not_found"),
        ("refused", "not_found"),
    ]


async def test_a_closed_letter_is_neither_replayed_nor_dropped(team: Curation, ops: Any) -> None:
    first = pick("a")
    await team.take(first)
    place = Place.parse(address(first, 0))
    async with team.replaying():
        await replay(ops, Filter(place=place), dry_run=False, rate=None)

    with pytest.raises(LetterError, match="is not open but closed"):
        await replay(ops, Filter(place=place), dry_run=False, rate=None)
    with pytest.raises(LetterError, match="is not open but closed"):
        await drop(ops, place, "why")


async def test_the_audit_says_who_did_what_and_cannot_be_changed(team: Curation, ops: Any) -> None:
    await one_key_died(team)
    other = pick("z")
    (record,) = await team.take(other, first_id=20)
    async with team.replaying():
        await drop(ops, Place.parse(address(other, record.offset)), "spam")
        await replay(ops, Filter(group="curation", type="PublishPick"), dry_run=False, rate=None)

    rows = await ops.fetch("SELECT who, role, action, target, reason, letters FROM mesh.audit ORDER BY id")

    assert [tuple(row)[1:] for row in rows] == [
        ("ops", "drop", address(other, record.offset), "spam", 1),
        ("ops", "replay", "group=curation type=PublishPick", None, 3),
    ]
    assert {row["who"] for row in rows} == {dead_letters.who()}
    for change in ("DELETE FROM mesh.audit", "UPDATE mesh.audit SET who = 'x'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ops.execute(change)


COUNTED = ("group_name", "type", "reason", "schema_version", "letters", "parked")


async def test_the_list_groups_and_counts(team: Curation, ops: Any) -> None:
    await one_key_died(team)

    rows = await dead_letters.grouped(ops, EVERYTHING, "unclosed")

    counted = [tuple(row[name] for name in COUNTED) for row in rows]
    assert counted == [
        ("curation", "DeletePick", "parked", CONTRACT, 1, 1),
        ("curation", "EditPick", "parked", CONTRACT, 1, 1),
        ("curation", "PublishPick", "handler_failed", CONTRACT, 1, 0),
    ]
    assert await dead_letters.grouped(ops, EVERYTHING, "closed") == []


async def versions_died(team: Curation) -> None:
    """Written with an older contract (1, 2), without a version (3), with a bad one (4) and with ours (5)."""
    await team.take(pick("a"), pick("b"), first_id=1, dataschema="urn:pickly:{type}:0.0.9")
    await team.take(pick("c"), first_id=3, dataschema=None)
    await team.take(pick("d"), first_id=4, dataschema="urn:pickly:{type}:\x1b[31m")
    await team.take(pick("e"), first_id=5)


async def test_the_list_tells_with_which_contract_letters_were_written(team: Curation, ops: Any) -> None:
    await versions_died(team)

    rows = await dead_letters.grouped(ops, EVERYTHING, "unclosed")

    assert {row["schema_version"]: row["letters"] for row in rows} == {"0.0.9": 2, "-": 2, CONTRACT: 1}


@pytest.mark.parametrize(("version", "numbers"), [("0.0.9", [1, 2]), ("-", [3, 4]), (CONTRACT, [5])])
async def test_letters_of_one_version_are_replayed_alone(
    team: Curation, ops: Any, version: str, numbers: list[int]
) -> None:
    await versions_died(team)

    async with team.replaying():
        outcome = await replay(ops, Filter(schema_version=version), dry_run=False, rate=None)

    assert (outcome.letters, outcome.whole) == (len(numbers), True)
    closed = await ops.fetch("SELECT message_id FROM curation.dead_letter WHERE state = 'closed'")
    assert {row["message_id"] for row in closed} == set(command_ids(numbers))
    assert await ops.fetchval("SELECT target FROM mesh.audit") == f"schema-version={version}"
