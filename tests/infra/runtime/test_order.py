"""Waves, portions and preparation: what runs before what."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition

from infra.runtime import Db, Decider
from infra.runtime.decoding import decode
from infra.runtime.poll import APPLIED, COST_LIMIT, portions, split
from infra.runtime.records import Incoming
from infra.runtime.waves import waves
from schemas.envelope import Meta
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import OWNER, Contract, Tape, contract, decider, polled

MakeBench = Callable[..., Bench]


@pytest.fixture
def c() -> Contract:
    return contract("order", partitions=2)


def incoming(c: Contract, group: Decider, *wishes: tuple[str, str]) -> list[Incoming]:
    """(key, "put" or "drop") on partition 0, decoded."""
    tape = Tape.of(c.commands)
    kinds = {"put": c.Put, "drop": c.Drop}
    records = [tape.add(kinds[wish](key_=key, owner=OWNER), partition=0) for key, wish in wishes]
    decoded = [decode(record, group) for record in records]
    return [each for each in decoded if isinstance(each, Incoming)]


def test_a_wave_holds_the_nth_message_of_every_key(c: Contract) -> None:
    messages = incoming(
        c, decider(c, many=True), ("a", "put"), ("a", "drop"), ("b", "put"), ("a", "put"), ("b", "drop")
    )

    found = [
        [(handler.types[0].__name__, [each.key for each in run]) for handler, run in wave]
        for wave in waves(messages)
    ]

    assert found == [[("Put", ["a", "b"])], [("Drop", ["a", "b"])], [("Put", ["a"])]]


def test_a_poll_is_cut_where_its_declared_cost_passes_the_limit(c: Contract) -> None:
    group = decider(c)
    dear = replace(group.handlers["Put"], cost=COST_LIMIT / 2.5)
    messages = [replace(each, handler=dear) for each in incoming(c, group, *[("a", "put")] * 5)]
    place = TopicPartition(c.commands.name, 0)

    sizes = [len(portion[place]) for portion in portions({place: messages})]

    assert sizes == [2, 2, 1]


def test_a_unit_is_split_by_partition_then_in_halves_then_not_at_all(c: Contract) -> None:
    messages = incoming(c, decider(c), *[("a", "put")] * 3)
    one, two = TopicPartition(c.commands.name, 0), TopicPartition(c.commands.name, 1)

    assert split({one: messages, two: messages}) == [{one: messages}, {two: messages}]
    assert split({one: messages}) == [{one: messages[:1]}, {one: messages[1:]}]
    assert split({one: messages[:1]}) == []


async def test_prepare_runs_before_the_transaction_and_hands_its_value_over(
    bench: MakeBench, db: Db, c: Contract
) -> None:
    group = Decider("widgets", c.commands)
    got: list[object] = []

    async def prepare(message: Any, meta: Meta, connection: Db) -> str:
        assert not connection.is_in_transaction()
        moved = await connection.fetchval("SELECT next_offset FROM position WHERE partition = 0")
        return f"{message.key_} at {moved}"

    @group.on(c.Put, prepare=prepare)
    async def put(message: Any, meta: Meta, connection: Db, prepared: str) -> list[Any]:
        assert connection.is_in_transaction()
        got.append(prepared)
        return []

    b = bench(group)
    await b.own(TopicPartition(c.commands.name, 0))
    tape = Tape.of(c.commands)
    records = [tape.add(c.Put(key_=key, owner=OWNER), partition=0) for key in "ab"]

    verdicts = await b.poller.run(polled(*records))
    await b.poller.preparation.close()

    assert set(verdicts.values()) == {APPLIED}
    assert got == ["a at 0", "b at 0"]


def test_a_group_takes_one_handler_a_type_and_only_types_of_its_topics(c: Contract) -> None:
    group, other = decider(c), contract("other")

    with pytest.raises(TypeError, match="two handlers"):
        group.on(c.Put)(decider(c).handlers["Put"].function)
    with pytest.raises(TypeError, match="does not read"):
        group.on(other.Put)(decider(other).handlers["Put"].function)
