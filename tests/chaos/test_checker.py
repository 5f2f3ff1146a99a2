"""The judge on an honest run, and on planted wrongs: each must be found, and counted as nothing else."""

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from infra.local.servers import start_servers
from infra.settings import Settings
from tests.chaos.checker import check, judge, tails
from tests.chaos.checker_evidence import gather
from tests.chaos.checker_plants import LOVE, PICKS, PLANTS, REACTIONS, Run, command, events_of
from tests.chaos.checker_world import honest_run
from tests.given import PICK


@pytest.fixture(scope="module")
async def run(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    servers = start_servers(tmp_path_factory.mktemp("judge"), s3=False)
    variables = {name.removeprefix("PICKLY_").lower(): text for name, text in servers.env.items()}
    settings = Settings.model_validate({k: v for k, v in variables.items() if k in Settings.model_fields})
    try:
        attempts = await honest_run(settings)
        yield Run(settings, attempts, await gather(settings))
    finally:
        servers.stop()


@pytest.fixture
def planted(run: Run) -> Run:
    """A copy to spoil."""
    return Run(run.settings, list(run.attempts), deepcopy(run.evidence))


async def test_an_honest_run_is_whole(run: Run) -> None:
    verdict = await check(run.attempts, run.settings)

    assert (verdict.wrongs, verdict.samples) == ({}, {})
    assert verdict.dead == verdict.dead_expected == 6
    assert await tails(run.settings) == []
    assert {told.status for told in run.evidence.decisions.values()} == {
        "decided", "unchanged", "refused", "parked"
    }  # fmt: skip


def test_what_clients_could_not_know_is_no_wrong(planted: Run) -> None:
    first = planted.attempts[0]
    planted.attempts[0] = replace(first, outcome="unknown")
    planted.attempts.append(replace(first, id=uuid4(), seq=99, outcome="unknown"))
    planted.attempts.append(replace(first, id=uuid4(), seq=99, outcome="refused"))

    assert judge(planted.attempts, planted.evidence).wrongs == {}


def test_a_tick_may_come_while_the_judge_looks(planted: Run) -> None:
    first = command(planted, "React")
    tick = replace(first, offset=10**6, key="tick/0", headers={"ce_type": "Tick", "ce_id": str(uuid4())})
    planted.evidence.commands[first.topic].append(tick)

    assert judge(planted.attempts, planted.evidence).wrongs == {}


def test_an_event_may_be_sent_again_and_older_ones_compacted_away(planted: Run) -> None:
    newest = events_of(planted, PICKS, str(PICK))[-1]
    planted.evidence.states[PICKS] = [
        entry for entry in planted.evidence.states[PICKS] if entry.key != newest.key or entry is newest
    ] + [replace(newest, offset=newest.offset + 9)]

    assert judge(planted.attempts, planted.evidence).wrongs == {}


@pytest.mark.parametrize(
    ("wrong", "plant"), [(wrong, plant) for wrong, plants in PLANTS.items() for plant in plants]
)
def test_a_planted_wrong_is_found_and_counts_once(
    planted: Run, wrong: str, plant: Callable[[Run], None]
) -> None:
    plant(planted)

    verdict = judge(planted.attempts, planted.evidence)

    assert verdict.wrongs == {wrong: 1}, verdict.samples


def test_a_newest_event_that_is_missing_is_also_a_wrong_tail(planted: Run) -> None:
    planted.evidence.states[PICKS].remove(events_of(planted, PICKS, str(PICK))[-1])

    assert judge(planted.attempts, planted.evidence).wrongs == {"events_missing": 1, "tail_wrong": 1}


async def test_wrongs_in_the_real_table_and_on_the_real_topic_are_found(run: Run) -> None:
    """Last, because the record stays."""
    (event,) = events_of(run, REACTIONS, LOVE)
    headers = [(name, text.encode()) for name, text in event.headers.items() if name != "ce_id"]
    db = await asyncpg.connect(run.settings.dsn("postgres"))
    await db.execute("DELETE FROM curation.decision WHERE type = 'DeletePick'")
    await db.execute("UPDATE curation.pick SET note = 'other' WHERE pick_id = $1", PICK)
    await db.close()
    async with AIOKafkaProducer(bootstrap_servers=run.settings.kafka) as producer:
        await producer.send_and_wait(
            REACTIONS,
            event.value,
            key=LOVE.encode(),
            partition=event.partition,
            headers=[*headers, ("ce_id", str(uuid4()).encode())],
        )

    verdict = await check(run.attempts, run.settings, answers_wrong=["a stale read"])

    assert verdict.wrongs == {"lost": 1, "events_extra": 1, "tail_wrong": 1, "answer_wrong": 2}
    assert "a stale read" in verdict.samples["answer_wrong"]
    (line,) = await tails(run.settings)
    assert line.startswith(f"{PICKS} {PICK}: ")
