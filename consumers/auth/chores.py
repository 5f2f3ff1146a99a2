"""What is due each minute: new keys, and what nobody confirmed, used, guesses at or looks up any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from consumers.auth import key_pairs, security, sessions
from consumers.auth.group import auth
from consumers.auth.store import accounts, challenges, factors, guesses, proofs, registrations
from consumers.auth.store.keys import KeyPair
from infra.runtime import Db
from schemas.envelope import Meta
from schemas.message import Message, Tick
from schemas.topics import AUTH_COMMANDS

UNCONFIRMED: Final = timedelta(hours=1)
"""How long a factor is kept that nobody has used."""


@auth.on(Tick, cost=0.1, prepare=key_pairs.due)
async def tidy(tick: Tick, meta: Meta, db: Db, made: Sequence[KeyPair]) -> Sequence[Message]:
    """Once a minute and partition; keys are the first partition's."""
    if tick.topic != AUTH_COMMANDS.name:
        return []
    await forget_expired(db, tick.partition, meta.at)
    over = await sessions.over(db, tick.partition, meta)
    log = await security.due(db, tick.partition, meta)
    if tick.partition != 0:
        return [*over, *log]
    await factors.forget_unconfirmed(db, meta.at - UNCONFIRMED)
    await guesses.forget(db, meta.at)
    return [*over, *log, *await key_pairs.rotate(db, made, meta.at)]


async def forget_expired(db: Db, partition: int, at: datetime) -> None:
    """What nobody confirmed or answered in time."""
    expired = await registrations.take_expired(db, partition, at)
    await accounts.forget_data_keys(db, expired)
    await challenges.forget_expired(db, partition, at)
    await proofs.forget_expired(db, partition, at)
