"""Stepping up: a session proves a factor once more, and may do dangerous things for ten minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from consumers.auth import access, consent, key_pairs, proofs
from consumers.auth.freshness import proven_now, session_of
from consumers.auth.group import HASHING, auth
from consumers.auth.proofs import Used
from consumers.auth.store import accounts, challenges, factors, guesses, sessions
from consumers.auth.store.accounts import Held
from consumers.auth.store.guesses import Guess
from infra.runtime import Db, Effect, Refusal, Reply
from infra.sealing import Opened
from schemas.envelope import Meta
from schemas.factors import Reauthenticate, ReauthenticateContents
from schemas.message import Message


@dataclass(frozen=True, slots=True)
class Tried:
    """A proof that was counted. `password_version` tells which password it was, if it was the right one."""

    opened: Opened[ReauthenticateContents]
    account_id: UUID
    guesses: Sequence[Guess]
    password_version: int | None = None


async def checked(wish: Reauthenticate, meta: Meta, db: Db) -> Tried | Refusal:
    """Open the box, count the try, check a password."""
    opened = await key_pairs.opened(ReauthenticateContents, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    if meta.actor is None:
        return Refusal("session_ended")
    counters = proofs.tries(wish.session_id, meta.actor, opened.contents.address)
    if not await guesses.admit(db, counters, meta.at):
        return Refusal("too_many_attempts")
    given = opened.contents.password
    right = None if given is None else await consent.right(db, meta.actor, given)
    return Tried(opened, meta.actor, counters, right.password_version if right else None)


@auth.on(Reauthenticate, cost=HASHING, prepare=checked)
async def reauthenticate(
    wish: Reauthenticate, meta: Meta, db: Db, tried: Tried
) -> Sequence[Message | Effect | Reply] | Refusal:
    """A password is enough where there is no second factor; the session is fresh again."""
    session = await session_of(db, wish.session_id, tried.account_id)
    held = await accounts.get(db, tried.account_id)
    if session is None or held is None or held.account.standing == "suspended":
        return Refusal("session_ended")
    with_password = tried.opened.contents.password is not None
    prove = _by_password if with_password else _by_factor
    used = await prove(db, wish, meta, tried, held)
    if isinstance(used, Refusal):
        return used
    await proofs.forgive(db, tried.guesses)
    return await _renewed(db, session, held, meta, tried, used)


async def _by_password(
    db: Db, _wish: Reauthenticate, _meta: Meta, tried: Tried, held: Held
) -> Refusal | None:
    """Nothing is used up by it."""
    if tried.password_version != held.password_version:
        return Refusal("credentials_wrong")
    if await factors.confirmed(db, tried.account_id):
        return Refusal("password_not_enough")
    return None


async def _by_factor(db: Db, wish: Reauthenticate, meta: Meta, tried: Tried, _held: Held) -> Refusal | Used:
    contents, challenge = tried.opened.contents, None
    if contents.challenge is not None:
        challenge = await challenges.get(db, contents.challenge, "step_up", meta.at)
        if challenge is None or challenge.session_id != wish.session_id:
            return Refusal("challenge_invalid")
    used = await proofs.use(db, tried.account_id, contents, challenge, meta.at)
    if used is None:
        return Refusal("factor_wrong")
    if challenge is not None:
        await challenges.remove(db, challenge.challenge_id)
    return used


async def _renewed(
    db: Db, session: sessions.Held, held: Held, meta: Meta, tried: Tried, used: Used | None
) -> Sequence[Message | Effect | Reply]:
    seen = await proven_now(db, session, meta, assurance=1 if used is None else 2)
    answer = await access.tokens(
        db, held.account, seen, None, at=meta.at, factor_at=meta.at, token_id=meta.id
    )
    events: list[Message | Effect | Reply] = [seen, Reply(tried.opened.answer(answer))]
    if used is None:
        return events
    done = await proofs.follows(db, meta, tried.account_id, used, seen.session_id, tried.opened)
    return [*done, *events]
