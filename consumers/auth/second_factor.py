"""The second step of signing in, and signing in with a passkey alone: a challenge is answered once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from consumers.auth import key_pairs, passkeys, proofs
from consumers.auth.challenges import EXPIRES, ask, shown
from consumers.auth.freshness import session_of
from consumers.auth.group import auth
from consumers.auth.signing_in import Newcomer, begin
from consumers.auth.store import accounts, challenges, guesses
from consumers.auth.store.challenges import Challenge
from consumers.auth.store.guesses import Guess
from infra.runtime import Db, Effect, Refusal, Reply
from infra.sealing import Opened
from schemas.envelope import Meta
from schemas.factors import (
    AnswerChallenge,
    BeginChallenge,
    BeginChallengeContents,
    ChallengeProof,
)
from schemas.message import Message

INVALID: Final = Refusal("challenge_invalid")
WRONG: Final = Refusal("factor_wrong")


@dataclass(frozen=True, slots=True)
class Tried:
    """An answer that was counted and not looked at yet."""

    opened: Opened[ChallengeProof]
    guesses: Sequence[Guess]


@auth.on(BeginChallenge, prepare=key_pairs.open_box)
async def begin_challenge(
    wish: BeginChallenge, meta: Meta, db: Db, opened: Opened[BeginChallengeContents]
) -> Reply | Refusal:
    """Whoever is signed in gets what steps up that session; anybody else what a passkey signs in with."""
    session_id = opened.contents.session
    random, until = opened.draw("challenge", passkeys.CHALLENGE), meta.at + EXPIRES
    if session_id is None:
        challenge = Challenge(wish.challenge_id, "sign_in", random, until)
        await challenges.add(db, challenge)
        return Reply(opened.answer(shown(challenge, [], 0)))
    held = await session_of(db, session_id, meta.actor)
    if held is None:
        return Refusal("session_ended")
    challenge = Challenge(wish.challenge_id, "step_up", random, until, meta.actor, session_id)
    return Reply(opened.answer(await ask(db, challenge)))


async def counted(wish: AnswerChallenge, meta: Meta, db: Db) -> Tried | Refusal:
    """Open the box, and count the try before anybody looks at it."""
    opened = await key_pairs.opened(ChallengeProof, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    challenge = await challenges.look(db, wish.challenge_id, "sign_in", meta.at)
    if challenge is None:
        return INVALID
    counters = proofs.tries(challenge.challenge_id, challenge.account_id, opened.contents.address)
    if not await guesses.admit(db, counters, meta.at):
        return Refusal("too_many_attempts")
    return Tried(opened, counters)


@auth.on(AnswerChallenge, prepare=counted)
async def answer_challenge(
    wish: AnswerChallenge, meta: Meta, db: Db, tried: Tried
) -> Sequence[Message | Effect | Reply] | Refusal:
    """A proven factor turns the challenge into a session of two factors; a wrong one leaves it as it is."""
    challenge = await challenges.get(db, wish.challenge_id, "sign_in", meta.at)
    if challenge is None:
        return INVALID
    account_id = challenge.account_id or await _claimed(db, tried.opened.contents)
    held = await accounts.get(db, account_id) if account_id else None
    if held is None:
        return WRONG
    if challenge.password_version not in (None, held.password_version):
        return INVALID
    return await _answered(db, challenge, held, meta, tried)


async def _claimed(db: Db, proof: ChallengeProof) -> UUID | None:
    """Whose passkey the answer claims to be from; nothing is proven yet."""
    factor = await proofs.owner(db, proof.passkey) if proof.passkey is not None else None
    return factor.account_id if factor else None


async def _answered(
    db: Db, challenge: Challenge, held: accounts.Held, meta: Meta, tried: Tried
) -> Sequence[Message | Effect | Reply] | Refusal:
    account, proof = held.account, tried.opened.contents
    if challenge.account_id is None:  # only a passkey says who it is
        proof = proof.model_copy(update={"totp": None, "recovery_code": None})
    used = await proofs.use(db, account.account_id, proof, challenge, meta.at)
    if used is None:
        return WRONG
    if account.standing == "suspended":
        return Refusal("suspended")
    await challenges.remove(db, challenge.challenge_id)
    await proofs.forgive(db, tried.guesses)
    device = challenge.device or proof.device
    newcomer = Newcomer(challenge.challenge_id, device, proof.address, assurance=2)
    begun = await begin(db, account, newcomer, meta, tried.opened)
    done = await proofs.follows(db, meta, account.account_id, used, newcomer.session_id, tried.opened)
    return [*done, *begun]
