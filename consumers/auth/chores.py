"""What is due each minute: new keys, and what nobody confirmed, used, guesses at or looks up any more."""

from collections.abc import Sequence

from consumers.auth import key_pairs, security, sessions
from consumers.auth.group import auth
from consumers.auth.store import accounts, guesses, proofs, registrations
from consumers.auth.store.keys import KeyPair
from infra.runtime import Db
from schemas.envelope import Meta
from schemas.message import Message, Tick
from schemas.topics import AUTH_COMMANDS


@auth.on(Tick, cost=0.1, prepare=key_pairs.due)
async def tidy(tick: Tick, meta: Meta, db: Db, made: Sequence[KeyPair]) -> Sequence[Message]:
    """Once a minute and partition; keys are the first partition's."""
    if tick.topic != AUTH_COMMANDS.name:
        return []
    expired = await registrations.take_expired(db, tick.partition, meta.at)
    await accounts.forget_data_keys(db, expired)
    await proofs.forget_expired(db, tick.partition, meta.at)
    over = await sessions.over(db, tick.partition, meta)
    log = await security.due(db, tick.partition, meta)
    if tick.partition != 0:
        return [*over, *log]
    await guesses.forget(db, meta.at)
    return [*over, *log, *await key_pairs.rotate(db, made, meta.at)]
