"""Checks of answers while faults strike: what is done is seen, and what is asked for after it is not older.

No answer, 503 and a status that is still open are honest; everything else must be the truth.
"""

import asyncio
from typing import Final

from tests.chaos.delivery import Delivered, Load
from tests.chaos.lives import Life, PickLife, ReactionLife, Step
from tests.chaos.people import Answer

LOOKS: Final = 8
LOOK_AGAIN: Final = 0.15
EXCUSED: Final = frozenset({429, 503})


async def check(load: Load, life: Life, step: Step, delivered: Delivered) -> None:
    """After an acknowledged step of a life, before its next one: look in one way or another."""
    if isinstance(life, ReactionLife) and not life.sure:
        return
    answer = delivered.answer
    if answer is not None and answer.status != 202:
        _check_outcome(load, life, step, answer)
    way = load.chance.random()
    if way < 0.15:
        await _check_after(load, life, step)
    elif way < 0.25:
        await _check_done(load, life, step)


def _check_outcome(load: Load, life: Life, step: Step, answer: Answer) -> None:
    """What `Prefer: wait` was answered, if that is an outcome."""
    if answer.status in EXCUSED:
        return
    expected = (step.reason or "").replace("_", "-")
    if answer.slug != expected:
        load.wrong(step.wish, f"answered {answer.status} {answer.slug}, expected {expected or 'success'}")
    elif answer.status < 400:
        _compare(load, life, step, answer, "Prefer: wait")


async def _check_after(load: Load, life: Life, step: Step) -> None:
    """`Pickly-After` is never answered stale."""
    answer = await _read(load, life, {"pickly-after": str(step.wish.id)})
    _compare(load, life, step, answer, "Pickly-After")


async def _check_done(load: Load, life: Life, step: Step) -> None:
    """Once the command's status is final it is the right one, and any read shows the effect."""
    for _ in range(LOOKS):
        answer = await load.door.ask("GET", f"/v1/commands/{step.wish.id}", life.person)
        if answer is not None and answer.body.get("status") in ("done", "refused", "failed"):
            break
        await asyncio.sleep(LOOK_AGAIN)
    else:
        return
    found = (answer.body["status"], answer.body.get("reason"))
    expected = ("refused", step.reason) if step.reason else ("done", None)
    if found != expected:
        load.wrong(step.wish, f"its status is {found}, expected {expected}")
    else:
        _compare(load, life, step, await _read(load, life, {}), f"a read after {found[0]}")


async def _read(load: Load, life: Life, headers: dict[str, str]) -> Answer | None:
    return await load.door.ask("GET", f"/v1/picks/{life.pick_id}", life.person, headers=headers)


def _compare(load: Load, life: Life, step: Step, answer: Answer | None, how: str) -> None:
    if answer is None or answer.status in EXCUSED:
        return
    why = _wrong_pick(life, answer) if isinstance(life, PickLife) else _wrong_reaction(life, answer)
    if why:
        load.wrong(step.wish, f"{how}: {why}")


def _wrong_pick(life: PickLife, answer: Answer) -> str | None:
    """Nobody else changes the pick, so that what is shown is what its author has made of it."""
    if answer.status >= 300:
        return f"{answer.status} {answer.slug}"
    seen = life.seen
    shown = (answer.version, answer.body.get("note"), "deleted_at" in answer.body)
    expected = (seen.version, seen.note, seen.deleted)
    return None if shown == expected else f"version, note, deleted are {shown}, expected {expected}"


def _wrong_reaction(life: ReactionLife, answer: Answer) -> str | None:
    """A reaction may be done before its pick is shown, which comes on another partition."""
    if answer.status == 404:
        return None
    if answer.status >= 300:
        return f"{answer.status} {answer.slug}"
    reactions = answer.body.get("reactions")
    if not isinstance(reactions, dict):
        return None if answer.body.get("status") == "done" else f"no pick: {answer.body}"
    count = reactions.get(life.kind, 0)
    return None if count == int(life.on) else f"{count} reactions, expected {int(life.on)}"
