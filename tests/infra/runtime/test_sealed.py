"""Commands with secrets: a late one is refused, a dead one leaves nothing, an answer is forgotten."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from infra.runtime import Db, Decider, Refusal, Reply, ledger
from infra.runtime.poll import APPLIED, ATTEMPTS
from infra.runtime.records import Record
from schemas.envelope import Meta
from schemas.sealed import Box, Contents, SealedCommand
from schemas.topics import Kind, Topic
from tests.infra.runtime.conftest import Bench
from tests.infra.runtime.widgets import Tape, polled

MakeBench = Callable[[Decider], Bench]
WHISPERS = Topic(
    f"w{uuid4().hex[:8]}.whispers",
    Kind.COMMAND,
    "widgets",
    "",
    readers=("widgets",),
    writers=("gateway", "clock"),
    keep=timedelta(minutes=15),
    partitions=1,
    expires=True,
    sealed=True,
)


class Whisper(SealedCommand, topic=WHISPERS):
    """What is said in its box decides: `poison` raises, `no` is refused by `prepare`."""

    subject = "whispers"
    key_fields = ("key_",)
    contents = Contents
    deadline = timedelta(seconds=30)

    key_: str = "a"


def group() -> Decider:
    """Answers every whisper with the text of its box."""
    widgets = Decider("widgets", WHISPERS)

    async def hear(whisper: Whisper, meta: Meta, db: Db) -> bytes | Refusal:
        if whisper.sealed.text == "poison":
            raise ArithmeticError("poison")
        return Refusal("no") if whisper.sealed.text == "no" else whisper.sealed.text.encode()

    @widgets.on(Whisper, prepare=hear)
    async def answer(whisper: Whisper, meta: Meta, db: Db, heard: bytes) -> Reply:
        return Reply(heard)

    return widgets


def whisper(tape: Tape, text: str) -> Record:
    """A record whose box holds this."""
    return tape.add(Whisper(sealed=Box(key="k", text=text)), actor=None)


@pytest.fixture
async def b(bench: MakeBench) -> Bench:
    made = bench(group())
    await made.own(TopicPartition(WHISPERS.name, 0))
    return made


async def decided(db: Db) -> list[tuple[str, str | None, bytes | None]]:
    """Status, reason and sealed answer of every decision."""
    rows = await db.fetch("SELECT status, reason, sealed_answer FROM decision ORDER BY status, reason")
    return [tuple(row) for row in rows]


async def test_the_answer_lies_in_the_decision(b: Bench, db: Db) -> None:
    await b.poller.run(polled(whisper(Tape.of(WHISPERS), "hello")))

    assert await decided(db) == [("decided", None, b"hello")]


async def test_an_answer_is_forgotten_after_ten_minutes_and_not_before(b: Bench, db: Db) -> None:
    await b.poller.run(polled(whisper(Tape.of(WHISPERS), "hello")))
    await db.execute("UPDATE decision SET at = at - interval '9 minutes'")
    await ledger.forget_answers(db)
    assert await decided(db) == [("decided", None, b"hello")]

    await db.execute("UPDATE decision SET at = at - interval '1 minute'")
    await ledger.forget_answers(db)

    assert await decided(db) == [("decided", None, None)]


async def test_one_that_comes_after_its_deadline_is_refused_unopened(b: Bench, db: Db) -> None:
    tape = Tape.of(WHISPERS)
    tape.at -= Whisper.deadline + timedelta(seconds=1)

    verdicts = await b.poller.run(polled(whisper(tape, "poison")))

    assert set(verdicts.values()) == {APPLIED}
    assert await decided(db) == [("refused", "expired", None)]


async def test_what_prepare_refuses_is_the_outcome(b: Bench, db: Db) -> None:
    await b.poller.run(polled(whisper(Tape.of(WHISPERS), "no")))

    assert await decided(db) == [("refused", "no", None)]


async def test_a_dead_one_has_failed_and_leaves_no_letter_and_parks_nothing(b: Bench, db: Db) -> None:
    tape = Tape.of(WHISPERS)
    poison = whisper(tape, "poison")
    for _ in range(ATTEMPTS):
        await b.poller.run(polled(poison))

    await b.poller.run(polled(whisper(tape, "hello")))

    assert await decided(db) == [("decided", None, b"hello"), ("failed", "handler_failed", None)]
    assert await db.fetchval("SELECT count(*) FROM dead_letter") == 0


async def test_one_that_is_no_message_is_passed_over(b: Bench, db: Db) -> None:
    tape = Tape.of(WHISPERS)

    await b.poller.run(polled(tape.raw(b"a", b"{", [("ce_type", b"Whisper")], 0), whisper(tape, "hello")))

    assert await decided(db) == [("decided", None, b"hello")]
    assert await db.fetchval("SELECT count(*) FROM dead_letter") == 0
