"""What the client does when the answer is not there, not yet, or a problem."""

import asyncio
import time
from email.utils import formatdate

import pytest

from clients.python import (
    Conflict,
    Forbidden,
    Invalid,
    NewPick,
    NewThing,
    PicklyError,
    PreconditionMissing,
    Problem,
    Retry,
    TooManyRequests,
    Unavailable,
    UnreachableError,
)
from clients.python import Pickly as Client
from clients.python.problems import problem_of
from clients.python.wire import seconds_of
from tests.clients.conftest import SOON
from tests.clients.platform import Fault, Platform
from tests.clients.server import free_port, serving

A_PICK = NewPick(thing=NewThing(ref="imdb:tt0114709", kind="film", title="Toy Story"))
PICKS = "/v1/picks"


def keys(platform: Platform) -> list[str]:
    """The Idempotency-Keys of the publications that arrived."""
    return [seen.headers["idempotency-key"] for seen in platform.sent("POST", PICKS)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", PICKS, 503, body={"type": "/problems/outcome-unknown", "title": "Outcome unknown"}),
        Fault("POST", PICKS, 500),
        Fault("POST", PICKS, 502),
        Fault("POST", PICKS, 429, {"retry-after": "0"}),
        Fault("POST", PICKS),
        Fault("POST", PICKS, hangs=True),
    ],
    ids=["503", "500", "502", "429", "cut", "hangs"],
)
async def test_a_write_without_a_clear_answer_is_sent_again_under_the_same_key(
    platform: Platform, address: str, fault: Fault
) -> None:
    platform.faults += [fault, fault]

    async with Client(address, token="token-of-ana", retry=Retry(attempt=1.5, first=0.01)) as pickly:
        written = await pickly.publish(A_PICK)

    assert written.attempts == 3
    assert len(keys(platform)) == 3
    assert len(set(keys(platform))) == 1
    assert list(platform.effects.values()) == [1]


async def test_two_writes_have_two_keys_and_a_given_one_is_taken(ana: Client, platform: Platform) -> None:
    await ana.publish(A_PICK)
    await ana.publish(A_PICK)
    await ana.publish(A_PICK, key="mine")

    assert len(set(keys(platform))) == 3
    assert keys(platform)[2] == "mine"


async def test_a_read_is_sent_again_too(ana: Client, platform: Platform) -> None:
    platform.faults += [Fault("GET", "/v1/feeds", 503), Fault("GET", "/v1/feeds", 429, {"retry-after": "0"})]

    assert [pick async for pick in ana.latest()] == []
    assert len(platform.sent("GET", "/v1/feeds")) == 3


async def test_the_server_says_when_to_come_again(ana: Client, platform: Platform) -> None:
    platform.faults.append(Fault("POST", PICKS, 429, {"retry-after": "1"}))

    began = time.monotonic()
    await ana.publish(A_PICK)

    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_longer_than_all_the_time_there_is_is_not_begun(
    ana: Client, platform: Platform, status: int
) -> None:
    platform.faults.append(Fault("POST", PICKS, status, {"retry-after": "3600"}))

    with pytest.raises(TooManyRequests if status == 429 else Unavailable) as caught:
        await ana.publish(A_PICK)

    assert caught.value.retry_after == 3600
    assert len(keys(platform)) == 1


async def test_a_gateway_that_stays_away_is_unreachable_in_bounded_time() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"

    async with Client(nowhere, retry=Retry(total=0.3, first=0.05)) as pickly, asyncio.timeout(30):
        with pytest.raises(UnreachableError, match=nowhere):
            await anext(pickly.latest())


async def test_a_gateway_that_never_answers_is_unreachable_in_bounded_time(
    platform: Platform, address: str
) -> None:
    platform.faults += [Fault("POST", PICKS, hangs=True)] * 50

    async with Client(address, token="token-of-ana", retry=Retry(total=1.5, attempt=0.3)) as pickly:
        async with asyncio.timeout(30):
            with pytest.raises(UnreachableError):
                await pickly.publish(A_PICK)

    assert len(set(keys(platform))) == 1


async def test_a_gateway_that_comes_back_gets_what_waited(platform: Platform) -> None:
    port, second_attempt, attempts = free_port(), asyncio.Event(), iter(range(1000))

    def token() -> str:
        if next(attempts) == 1:
            second_attempt.set()
        return "token-of-ana"

    async with Client(f"http://127.0.0.1:{port}", token=token, retry=SOON) as pickly:
        publishing = asyncio.create_task(pickly.publish(A_PICK))
        await second_attempt.wait()
        with serving(platform, port):
            written = await publishing

    assert written.attempts > 1
    assert list(platform.effects.values()) == [1]


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (409, Conflict), (422, Invalid), (413, Problem)]
)
async def test_a_clear_no_is_not_asked_twice(
    ana: Client, platform: Platform, status: int, kind: type[Problem]
) -> None:
    platform.faults.append(Fault("POST", PICKS, status, body={"type": "/problems/no", "title": "No"}))

    with pytest.raises(kind) as caught:
        await ana.publish(A_PICK)

    assert (caught.value.status, caught.value.slug, caught.value.title) == (status, "no", "No")
    assert len(keys(platform)) == 1


async def test_a_token_is_asked_for_before_every_attempt(platform: Platform, address: str) -> None:
    platform.faults.append(Fault("POST", PICKS, 503))
    tokens = iter(["token-of-ana", "token-of-ben"])

    async def renewed() -> str:
        return next(tokens)

    async with Client(address, token=renewed, retry=SOON) as pickly:
        await pickly.publish(A_PICK)

    sent = [seen.headers["authorization"] for seen in platform.sent("POST", PICKS)]
    assert sent == ["Bearer token-of-ana", "Bearer token-of-ben"]


def test_a_problem_names_field_and_rule() -> None:
    body = (
        b'{"type":"/problems/invalid","title":"Invalid","detail":"1 field","resource":"/v1/picks/1",'
        b'"errors":[{"field":"thing.title","rule":"max_length","detail":"at most 300"}],"more":1}'
    )

    problem = problem_of(422, body)

    assert isinstance(problem, Invalid)
    assert (problem.slug, problem.detail, problem.resource) == ("invalid", "1 field", "/v1/picks/1")
    assert [(error.field, error.rule) for error in problem.errors] == [("thing.title", "max_length")]
    assert str(problem) == "422 Invalid; 1 field; thing.title: max_length at most 300"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(502, b"<html>Bad gateway</html>", Unavailable), (418, b"", Problem), (428, b"{}", PreconditionMissing)],
)
def test_an_answer_that_is_no_problem_document_is_still_an_exception(
    status: int, body: bytes, kind: type[Problem]
) -> None:
    problem = problem_of(status, body)

    assert type(problem) is kind
    assert isinstance(problem, PicklyError)
    assert problem.slug == ""
    assert str(problem).startswith(str(status))


def test_retry_after_is_read_in_both_its_forms() -> None:
    assert seconds_of("7") == 7.0
    assert seconds_of(formatdate(time.time() + 100, usegmt=True)) == pytest.approx(100, abs=50)
    assert seconds_of(formatdate(time.time() - 100, usegmt=True)) == 0.0
    assert seconds_of("soon") is None
    assert seconds_of(None) is None


def test_pauses_double_up_to_a_bound_are_spread_and_add_to_what_the_server_asks() -> None:
    retry = Retry(first=1.0, longest=8.0)

    for attempt, most in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10_000, 8.0)]:
        pauses = [retry.pause(attempt, None) for _ in range(50)]
        assert all(most / 2 <= pause <= most for pause in pauses)
        assert len(set(pauses)) > 1
        assert retry.pause(attempt, 30.0) >= 30.0
