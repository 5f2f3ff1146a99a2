"""Sends wishes until they are acknowledged, over HTTP or straight to topics, and notes each attempt."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from producers.errors import NotSentError, SendError
from producers.send import Sender
from tests.chaos.ledger import Attempt, Ledger
from tests.chaos.people import Answer, Door
from tests.chaos.wishes import Wish

Via = Literal["http", "topic"]
Outcome = Literal["acked", "refused", "unknown"]

AGAIN: Final = (0.2, 0.8)
NOT_ACCEPTED: Final = frozenset({"not-sent", "busy", "too-many-requests"})
"""Problems that say: nothing was accepted, ask again."""


@dataclass
class Load:
    """What a run sends with, and what it counts. `over` is set when no new command may begin."""

    door: Door
    sender: Sender
    ledger: Ledger
    chance: random.Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    counts: Counter[str] = field(default_factory=Counter)
    wrong_answers: list[str] = field(default_factory=list)

    def record(self, wish: Wish, via: Via, outcome: Outcome, *, poison: str = "", detail: str = "") -> None:
        """Write one attempt down."""
        command = wish.command
        self.counts[outcome] += 1
        self.ledger.record(
            Attempt(
                id=wish.id,
                key=command.key,
                seq=wish.seq,
                type=type(command).__name__,
                topic=command.topic.name,
                body_hash=wish.body_hash(via),
                via=via,
                at=time.time(),
                outcome=outcome,
                poison=poison,
                detail=detail,
            )
        )

    def wrong(self, wish: Wish, text: str) -> None:
        """An answer lied."""
        about = f"{type(wish.command).__name__} {wish.id} of {wish.command.key}, seq {wish.seq}"
        self.wrong_answers.append(f"{about}: {text}")


@dataclass(frozen=True)
class Delivered:
    """How a wish ended: `answer` is the last one over HTTP."""

    outcome: Outcome
    answer: Answer | None = None


async def deliver(load: Load, wish: Wish, ways: Iterator[Via], *, wait: int = 0) -> Delivered:
    """Send until it is acknowledged or refused, with the same id; `unknown` only when the run is over.

    Each attempt goes the next of `ways`. `wait` is how many seconds a request asks the gateway to wait for
    the outcome.
    """
    for via in ways:
        delivered = await attempt(load, wish, via, wait=wait)
        if delivered.outcome == "acked" or (delivered.outcome == "refused" and _final(delivered)):
            return delivered
        if load.over.is_set():
            return Delivered("unknown", delivered.answer)
        await asyncio.sleep(load.chance.uniform(*AGAIN))
    raise AssertionError("the ways have ended before the wish was delivered")


async def attempt(
    load: Load, wish: Wish, via: Via, *, wait: int = 0, poison: str = "", detail: str = ""
) -> Delivered:
    """Send once, and write it down."""
    if via == "topic":
        delivered = Delivered(await _to_topic(load, wish))
    else:
        delivered = await _over_http(load, wish, wait)
    load.record(wish, via, delivered.outcome, poison=poison, detail=detail)
    return delivered


def _final(delivered: Delivered) -> bool:
    """Whether the refusal would come again."""
    return delivered.answer is not None and delivered.answer.slug not in NOT_ACCEPTED


async def _to_topic(load: Load, wish: Wish) -> Outcome:
    try:
        await load.sender.send(wish.command, wish.meta())
    except NotSentError:
        return "refused"
    except SendError:
        return "unknown"
    return "acked"


async def _over_http(load: Load, wish: Wish, wait: int) -> Delivered:
    headers = wish.headers | ({"prefer": f"wait={wait}"} if wait else {})
    answer = await load.door.ask(wish.method, wish.path, wish.person, body=wish.body, headers=headers)
    if answer is None:
        return Delivered("unknown")
    named = answer.headers.get("pickly-command")
    if named is not None and named != str(wish.id):
        load.wrong(wish, f"the gateway calls it {named}")
    return Delivered(_outcome(answer, decided=wait > 0 and named is not None), answer)


def _outcome(answer: Answer, *, decided: bool) -> Outcome:
    """`decided`: a refusal may be the decider's, so the command was accepted before."""
    if answer.status < 400:
        return "acked"
    if answer.slug in NOT_ACCEPTED:
        return "refused"
    if answer.status >= 500 and answer.slug != "command-failed":
        return "unknown"
    return "acked" if decided else "refused"
