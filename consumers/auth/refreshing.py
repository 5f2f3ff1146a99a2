"""Exchanging refresh tokens: each is used once, a lost answer can be asked for again, theft ends all."""

from collections.abc import Sequence
from dataclasses import replace

from consumers.auth import access, key_pairs, refresh_tokens
from consumers.auth.group import auth_refresh
from consumers.auth.rotation import No, Repeat, Rotate, decide
from consumers.auth.security import noted
from consumers.auth.sessions import end
from consumers.auth.store import accounts, sessions
from consumers.auth.store.sessions import Held
from infra.runtime import Db, Refusal, Reply
from infra.sealing import REFUSED, Opened
from schemas.envelope import Meta
from schemas.message import Message
from schemas.sessions import UNUSED_ENDS, RefreshContents, RefreshTokens, SessionSeen


@auth_refresh.on(RefreshTokens, prepare=key_pairs.open_box)
async def refresh(
    wish: RefreshTokens, meta: Meta, db: Db, seen: Opened[RefreshContents]
) -> Sequence[Message | Reply] | Refusal:
    """The current token gives its successor, its parent the same one for a minute; an older ends all."""
    token = refresh_tokens.parse(seen.contents.token)
    held = await sessions.get(db, wish.session_id)
    if token is None or token.session != wish.session_id or held is None:
        return Refusal("refresh_refused")
    outcome = decide(held.family, access.family_key(wish.session_id), token, meta.at)
    if outcome is No.REPLAY:
        told = await noted(db, meta, held.session.account_id, "family_revoked", session_id=wish.session_id)
        reply = Reply(seen.answer({REFUSED: "refresh_refused"}))
        return [await end(db, held, "replayed", meta), told, reply]
    if isinstance(outcome, No):
        return Refusal("refresh_refused")
    return await renewed(db, held, outcome, meta, seen)


async def renewed(
    db: Db, held: Held, outcome: Rotate | Repeat, meta: Meta, seen: Opened[RefreshContents]
) -> Sequence[Message | Reply] | Refusal:
    """New tokens; the session was seen now."""
    account = await accounts.get(db, held.session.account_id)
    if account is None or account.account.standing == "suspended":
        return Refusal("refresh_refused")
    answer = await access.tokens(
        db,
        account.account,
        held.session,
        outcome.token,
        at=meta.at,
        factor_at=held.factor_at,
        token_id=meta.id,
    )
    reply = Reply(seen.answer(answer))
    if isinstance(outcome, Repeat):
        return [reply]
    place = access.coarse(seen.contents.address)
    family = replace(outcome.family, expires_at=meta.at + UNUSED_ENDS)
    session = await sessions.change(
        db, held, SessionSeen, meta.id, family=family, seen_at=meta.at, place=place
    )
    return [session, reply]
