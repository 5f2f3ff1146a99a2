"""Effects run after the commit: retried, given up, and taken over from the dead."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from infra.runtime import effects, running
from infra.runtime.effects import TRIES
from infra.runtime.fates import OutageError
from tests.infra.runtime.kafka.stage import Stage, deciding, has, until
from tests.infra.runtime.widgets import OWNER, Contract, contract


@pytest.fixture
def c(monkeypatch: pytest.MonkeyPatch) -> Contract:
    """Effects are looked for often, and may answer with a command of the same topic."""
    monkeypatch.setattr(running, "EFFECTS_EVERY", 0.05)
    c = contract("effects", partitions=1)
    object.__setattr__(c.commands, "writers", ("gateway", "clock", "widgets"))
    return c


async def ring(stage: Stage, c: Contract, key: str = "a") -> None:
    """A command whose handler asks for the effect `ring`."""
    await stage.send(c.Put(key_=key, owner=OWNER, value="effect"))


def row(stage: Stage, what: str) -> Callable[[], Awaitable[bool]]:
    """The condition that the one effect is like that."""

    async def condition() -> bool:
        return bool(await stage.db.fetchval(f"SELECT {what} FROM effect"))

    return condition


async def one(stage: Stage, query: str) -> "asyncpg.Record":
    """The one row of a query."""
    (row,) = await stage.db.fetch(query)
    return row


async def hurry(stage: Stage) -> None:
    """Let all that waits be due."""
    await stage.db.execute("UPDATE effect SET due_at = now() WHERE leased_until IS NULL")


async def test_an_effect_runs_after_its_commit_and_its_result_returns_as_a_command(
    stage: Stage, c: Contract
) -> None:
    await stage.make(c.commands)
    group, seen = deciding(c), list[tuple[UUID, dict[str, Any], int]]()

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> Any:
        seen.append((id, payload, await stage.count("widget")))
        return c.Put(key_="answer", owner=OWNER, value="rung")

    async with stage.running(group):
        await ring(stage, c)
        await until(has(stage, "outbox WHERE key = 'answer'", 1), "the result is on its way")

    ((id, payload, widgets),) = seen
    assert (payload, widgets) == ({"key": "a"}, 1)
    assert await stage.count("effect") == 0
    sent = await one(stage, "SELECT topic, body, headers FROM outbox WHERE key = 'answer'")
    command = await stage.db.fetchval("SELECT command_id FROM decision")
    assert sent["topic"] == c.commands.name
    assert orjson.loads(sent["body"])["value"] == "rung"
    headers = orjson.loads(sent["headers"])
    assert (headers["ce_cause"], headers["ce_correlation"]) == (str(id), str(command))


async def test_a_failing_effect_is_tried_with_growing_pauses_and_given_up_without_its_payload(
    stage: Stage, c: Contract
) -> None:
    await stage.make(c.commands)
    group, pauses = deciding(c), []

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        raise RuntimeError("no bell\x00")

    async with stage.running(group):
        await ring(stage, c)
        for tries in range(1, TRIES):
            await until(row(stage, f"leased_until IS NULL AND attempts = {tries}"), f"try {tries} failed")
            pauses.append(await stage.db.fetchval("SELECT due_at - now() FROM effect"))
            await hurry(stage)
        await until(row(stage, "dead_at IS NOT NULL"), "it is given up")

    dead = await one(stage, "SELECT attempts, payload, error FROM effect")
    assert (dead["attempts"], orjson.loads(dead["payload"])) == (TRIES, {})
    assert dead["error"] == "RuntimeError", "its text may quote anything"
    assert timedelta(seconds=30) < pauses[-1] < timedelta(seconds=90)
    assert pauses[-1] > pauses[-2] > pauses[-3]


async def test_an_outage_is_waited_for_without_limit_with_growing_pauses(stage: Stage, c: Contract) -> None:
    await stage.make(c.commands)
    group, away, tries, pauses = deciding(c), True, 0, []

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        nonlocal tries
        tries += 1
        if away:
            raise OutageError("no line")

    async with stage.running(group):
        await ring(stage, c)
        for n in range(1, TRIES + 3):

            async def met(n: int = n) -> bool:
                return tries >= n and await row(stage, "leased_until IS NULL")()

            await until(met, f"try {n} met the outage")
            pauses.append(await stage.db.fetchval("SELECT due_at - now() FROM effect"))
            await hurry(stage)
        away = False

        async def done() -> bool:
            await hurry(stage)
            return await stage.count("effect") == 0

        await until(done, "it is done")

    assert pauses[-1] > timedelta(minutes=2)


async def test_the_lease_of_a_dead_process_is_taken_over_when_it_ends(stage: Stage, c: Contract) -> None:
    await stage.make(c.commands)
    async with stage.running(deciding(c)):
        await ring(stage, c)
        await until(has(stage, "effect", 1), "the effect waits")
    await stage.db.execute("UPDATE effect SET leased_until = now() + interval '1 hour', attempts = 1")
    leased = await stage.db.fetchval("SELECT id FROM effect")
    group, seen = deciding(c), []

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        seen.append(id)

    async with stage.running(group):
        await ring(stage, c, "b")
        await until(has(stage, "decision", 2), "there is another one")
        await until(has(stage, "effect", 1), "the other one is done")
        assert await stage.db.fetchval("SELECT id FROM effect") == leased
        assert leased not in seen
        await stage.db.execute("UPDATE effect SET leased_until = now() - interval '1 second'")
        await until(has(stage, "effect", 0), "it is taken over")


async def test_an_effect_that_hangs_is_ended_before_its_lease_and_others_do_not_wait(
    stage: Stage, c: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "RUN_SECONDS", 2.0)
    await stage.make(c.commands)
    group, done = deciding(c), []

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        if payload["key"] == "hangs":
            await asyncio.sleep(3600)
        done.append(payload["key"])

    async with stage.running(deciding(c)):  # without the function: the effects gather
        await ring(stage, c, "hangs")
        await ring(stage, c, "b")
        await until(has(stage, "effect", 2), "both wait")
    async with stage.running(group):
        await until(has(stage, "effect", 1), "the other one is done")
        await until(row(stage, "leased_until IS NULL AND error LIKE 'TimeoutError%'"), "it is ended")

    assert done == ["b"]
    assert timedelta(seconds=effects.RUN_SECONDS) < effects.LEASE


async def test_a_stop_gives_back_what_runs(stage: Stage, c: Contract) -> None:
    await stage.make(c.commands)
    group, started = deciding(c), asyncio.Event()

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        started.set()
        await asyncio.sleep(3600)

    async with stage.running(group):
        await ring(stage, c)
        await started.wait()

    left = await one(stage, "SELECT attempts, leased_until, due_at <= now() AS due FROM effect")
    assert tuple(left) == (0, None, True)


async def test_an_effect_of_an_unknown_kind_waits_for_code_that_knows_it(stage: Stage, c: Contract) -> None:
    await stage.make(c.commands)
    group, done = deciding(c), []

    @group.effect("knock")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        done.append(payload["key"])

    async with stage.running(group):
        await ring(stage, c, "newer")
        await ring(stage, c, "known")
        await until(has(stage, "effect", 2), "both wait")
        await stage.db.execute("UPDATE effect SET kind = 'knock' WHERE payload->>'key' = 'known'")
        await until(has(stage, "effect", 1), "the known one is done")

    assert done == ["known"]
    assert await stage.db.fetchval("SELECT attempts FROM effect") == 0


async def test_an_effect_that_ends_its_process_each_time_is_given_up(stage: Stage, c: Contract) -> None:
    await stage.make(c.commands)
    async with stage.running(deciding(c)):
        await ring(stage, c)
        await until(has(stage, "effect", 1), "the effect waits")
    await stage.db.execute(
        "UPDATE effect SET leased_until = now() - interval '1 second', attempts = $1", TRIES
    )
    group, done = deciding(c), []

    @group.effect("ring")
    async def run(id: UUID, payload: dict[str, Any]) -> None:
        done.append(id)

    async with stage.running(group):
        await until(row(stage, "dead_at IS NOT NULL AND payload = '{}'"), "it is given up")

    assert done == []
