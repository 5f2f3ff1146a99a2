"""What differs between the live read model and the log is found, named and healed; nothing else changes."""

import pytest

from schemas import ids
from schemas.picks import PickDeleted, PickEdited
from tests.given import ANA, BO, DISPOSSESSED, NOON, SOLARIS, a_state, added, published, reacted
from tests.infra.ops.rebuild.world import World

AUDIT = "SELECT action, target, reason FROM mesh.audit"
WRONG, LOST, INVENTED = (ids.pick_id(ids.account_id(f"who{n}"), ids.thing_id(SOLARIS.ref)) for n in range(3))


@pytest.fixture
async def picks(world: World) -> World:
    """Some picks, things and reactions, shown."""
    people = [ids.account_id(f"who{n}") for n in range(3)]
    await world.send(added(), added(SOLARIS), published(), published(BO, rating=4))
    await world.send(*(published(person, SOLARIS, note="secret words") for person in people[:2]))
    await world.send(a_state(PickEdited, version=2, note="better"), reacted(), reacted(ANA))
    await world.send(a_state(PickDeleted, BO, rating=4, version=2, deleted_at=NOON))
    await world.shown()
    return world


async def test_read_models_that_are_right_are_equal_and_a_dry_run_leaves_no_trace(picks: World) -> None:
    before = await picks.rows(AUDIT)

    ran = await picks.rebuild("all", "--dry-run", "--json")

    assert (ran.code, ran.err) == (0, "")
    for report in ran.reports:
        assert (report["equal"], report["swapped"], report["behind"]) == (True, False, {})
        assert all(table["live_rows"] == table["next_rows"] for table in report["tables"])
        assert report["records"] > 0
    assert await picks.rows("SELECT nspname FROM pg_namespace WHERE nspname ~ '_(next|old)$'") == {}
    assert await picks.rows(AUDIT) == before


async def test_rows_that_are_wrong_lost_or_invented_are_found_named_and_healed(picks: World) -> None:
    # given
    before = await picks.rows(AUDIT)
    right = await picks.rows("SELECT pick_id, note FROM read_picks.pick, convert_from(body, 'UTF8') note")
    await picks.db.execute(
        'UPDATE read_picks.pick SET body = \'"note":"personal"\' WHERE pick_id = $1', WRONG
    )
    await picks.db.execute("DELETE FROM read_picks.pick WHERE pick_id = $1", LOST)
    await picks.db.execute(
        "INSERT INTO read_picks.pick SELECT $1, author_id, thing_id, version, picked_at, published_at, NULL,"
        " body FROM read_picks.pick LIMIT 1",
        INVENTED,
    )
    # when
    dry = await picks.rebuild("picks", "--dry-run", "--json")
    told = await picks.rebuild("picks")
    # then
    assert (dry.code, dry.report["equal"]) == (1, False)
    found = dry.table("pick")
    assert (found["changed"], found["missing"], found["extra"]) == (1, 1, 1)
    assert sorted((e["kind"], e["key"]["pick_id"], e["columns"]) for e in found["examples"]) == [
        ("changed", str(WRONG), ["body"]),
        ("extra", str(INVENTED), []),
        ("missing", str(LOST), []),
    ]
    assert told.code == 0, told
    assert f"changed  pick_id={WRONG}: body" in told.out
    assert "personal" not in dry.out + dry.err + told.out + told.err
    assert (
        await picks.rows("SELECT pick_id, note FROM read_picks.pick, convert_from(body, 'UTF8') note")
        == right
    )
    assert await picks.rows(AUDIT) - before == {("rebuild", "read_picks", "3 rows differed"): 1}


async def test_the_replaced_one_is_kept_until_told(picks: World) -> None:
    await picks.db.execute(
        "DELETE FROM read_things.thing WHERE thing_id = $1", ids.thing_id(DISPOSSESSED.ref)
    )

    first = await picks.rebuild("things", "--json")
    second = await picks.rebuild("things")
    old = await picks.rows("SELECT thing_id FROM read_things_old.thing")
    dropped = await picks.rebuild("read_things", "--drop-old")
    again = await picks.rebuild("things", "--drop-old")

    assert first.report["swapped"]
    assert second.code == 1
    assert "./pickly rebuild read_things --drop-old" in second.err
    assert (ids.thing_id(SOLARIS.ref),) in old
    assert (ids.thing_id(DISPOSSESSED.ref),) not in old
    assert (dropped.code, dropped.out) == (0, "read_things_old dropped\n")
    assert again.out == "there is no read_things_old\n"
    assert not await picks.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'read_things_old'")


async def test_what_is_no_projection_is_refused_with_the_names_there_are(world: World) -> None:
    ran = await world.rebuild("curation")

    assert ran.code == 2
    assert "read_picks" in ran.err
