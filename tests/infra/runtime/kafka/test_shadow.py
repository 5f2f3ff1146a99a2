"""A shadow reads from the start of the log and stands exactly where it was told, or says why it cannot."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition

from infra.runtime.shadow import Shadow, ShadowError, beside
from tests.infra.runtime.conftest import make_schema
from tests.infra.runtime.kafka.stage import Stage, has
from tests.infra.runtime.kafka.test_positions import transaction
from tests.infra.runtime.widgets import READ_SCHEMA, Contract, contract, projection

NEXT = "read_widgets_next"


@pytest.fixture
async def shop(stage: Stage) -> AsyncIterator[tuple[Stage, Contract]]:
    """A topic of widgets, and an empty schema beside the live one for the same role."""
    c = contract("shadow", partitions=3)
    await stage.make(c.events)
    db = await asyncpg.connect(stage.settings.dsn("postgres"))
    await db.execute(f"CREATE ROLE {NEXT}")  # the helper grants to the role of that name
    await make_schema(db, NEXT, "projection", READ_SCHEMA)
    await db.execute(f"GRANT {NEXT} TO read_widgets")
    await db.close()
    yield stage, c
    await stage.db.execute(f"DROP SCHEMA {NEXT} CASCADE; DROP OWNED BY {NEXT}; DROP ROLE {NEXT}")


def widget(c: Contract, key: str, version: int, value: str = "v") -> Any:
    return c.Widget(key_=key, value=value, version=version)


def places(c: Contract, *offsets: int) -> Mapping[TopicPartition, int]:
    return {TopicPartition(c.events.name, number): offset for number, offset in enumerate(offsets)}


async def advanced(stage: Stage, c: Contract, targets: Mapping[TopicPartition, int]) -> int:
    """How many records a shadow has applied on its way to the targets."""
    counted: list[int] = []
    shadow = Shadow(projection(c), stage.settings)
    try:
        await shadow.start()
        await shadow.advance(targets, counted.append)
    finally:
        await shadow.stop()
    return sum(counted)


async def position(stage: Stage, c: Contract) -> list[int]:
    return [await stage.position(c.events.name, number, NEXT) or 0 for number in range(3)]


def test_a_shadow_is_the_same_projection_under_another_name() -> None:
    live = projection(contract("beside"))
    shadow = beside(live)
    assert (shadow.name, shadow.schema, live.name, live.schema) == (
        NEXT,
        NEXT,
        "read_widgets",
        "read_widgets",
    )
    assert shadow.handlers is live.handlers


async def test_it_stands_exactly_at_its_targets_and_goes_on_from_there(shop: tuple[Stage, Contract]) -> None:
    stage, c = shop
    for version in range(1, 11):
        await stage.send(widget(c, "a", version), partition=0)
        await stage.send(widget(c, "b", version), partition=1)

    first = await advanced(stage, c, places(c, 4, 10, 0))
    middle = (
        await position(stage, c),
        await stage.db.fetchval(f"SELECT max(version) FROM {NEXT}.widget WHERE key = 'a'"),
    )
    second = await advanced(stage, c, places(c, 10, 10, 0))

    assert (first, middle) == (14, ([4, 10, 0], 4))
    assert (second, await position(stage, c)) == (6, [10, 10, 0])
    assert await has(stage, f"{NEXT}.widget WHERE version = 10", 2)()
    assert await stage.count("read_widgets.widget") == 0


async def test_a_target_behind_markers_and_aborted_records_is_reached(shop: tuple[Stage, Contract]) -> None:
    stage, c = shop
    await transaction(stage, widget(c, "a", 1))
    await transaction(stage, widget(c, "a", 2), abort=True)

    assert await advanced(stage, c, places(c, 4, 0, 0)) == 1
    assert await position(stage, c) == [4, 0, 0]
    assert await stage.db.fetchval(f"SELECT version FROM {NEXT}.widget") == 1


async def test_a_record_whose_handler_fails_is_set_aside_under_its_own_name(
    shop: tuple[Stage, Contract],
) -> None:
    stage, c = shop
    await stage.send(widget(c, "a", 1, "poison"), partition=0)
    await stage.send(widget(c, "b", 1), partition=0)

    await advanced(stage, c, places(c, 2, 0, 0))

    assert await position(stage, c) == [2, 0, 0]
    assert await stage.db.fetchval(f"SELECT group_name FROM {NEXT}.dead_letter") == NEXT
    assert await stage.count(f"{NEXT}.widget") == 1


async def test_what_waiting_does_not_heal_ends_it_with_the_reason(shop: tuple[Stage, Contract]) -> None:
    stage, c = shop
    other = contract("shadow", partitions=3)
    await stage.send(widget(c, "a", 1), partition=0)
    record = other.Put(key_="a", value="v", number=1, owner="00000000-0000-4000-8000-00000000000a")
    await stage.wire(c.events.name, 0, b"a", record.body(), [("ce_type", b"FromTheFuture")])

    with pytest.raises(ShadowError, match=r"events/0: unknown type FromTheFuture at offset 1"):
        await advanced(stage, c, places(c, 2, 0, 0))

    assert await position(stage, c) == [1, 0, 0]


async def test_an_outage_of_the_database_is_waited_for(
    shop: tuple[Stage, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, c = shop
    for version in range(1, 6):
        await stage.send(widget(c, "a", version), partition=0)
    shadow = Shadow(projection(c), stage.settings, lanes=1)
    await shadow.start()
    try:
        await shadow.advance(places(c, 2, 0, 0), lambda _: None)
        await stage.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%/' || $1",
            NEXT,
        )
        await shadow.advance(places(c, 5, 0, 0), lambda _: None)
    finally:
        await shadow.stop()
    assert await position(stage, c) == [5, 0, 0]
    assert await stage.db.fetchval(f"SELECT version FROM {NEXT}.widget") == 5
