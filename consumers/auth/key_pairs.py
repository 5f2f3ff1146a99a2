"""Key pairs of identity, made anew daily: what commands are sealed to, what access tokens are signed with."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consumers.auth import vault
from consumers.auth.store import keys as store
from consumers.auth.store.keys import KeyPair
from infra.jwk import thumbprint
from infra.runtime import Db, Refusal
from infra.sealing import C, Opened, SealError, b64, bound_to, new_nonce, unseal
from infra.tokens import SigningKey
from schemas.envelope import Meta
from schemas.keys import KeyGone, KeyPublished, KeyUse
from schemas.message import Tick
from schemas.sealed import Contents, SealedCommand
from schemas.topics import AUTH_COMMANDS

LIFETIME: Final = timedelta(days=1)
KNOWN_AFTER: Final = timedelta(minutes=1)
"""How long a signing key is published before it is used, so that every gateway has it by then."""
OUTLIVES: Final = timedelta(hours=1)
"""How long an old pair is kept beside its successor: longer than a sealed record or an access token lives."""


def _about(key_id: str) -> str:
    return f"pair/{key_id}"


async def due(tick: Tick, meta: Meta, db: Db) -> Sequence[KeyPair]:
    """The pairs that must be made now: where the newest is a day old, or there is none."""
    if (tick.topic, tick.partition) != (AUTH_COMMANDS.name, 0):
        return []
    fresh = {pair.use for pair in await store.every(db) if pair.made_at > meta.at - LIFETIME}
    return [make(meta.at) for use, make in MAKERS.items() if use not in fresh]


def sealing_pair(at: datetime) -> KeyPair:
    """An X25519 pair."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(public).hexdigest()[:16]
    return _kept(key_id, "seal", public, private.private_bytes_raw(), at)


def signing_pair(at: datetime) -> KeyPair:
    """A P-256 pair; its id is the RFC 7638 thumbprint of the public half."""
    private = ec.generate_private_key(ec.SECP256R1())
    secret = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return _kept(thumbprint(public), "sign", public, secret, at)


MAKERS: Final = {"seal": sealing_pair, "sign": signing_pair}


def _kept(key_id: str, use: KeyUse, public: bytes, secret: bytes, at: datetime) -> KeyPair:
    return KeyPair(key_id, use, b64(public), vault.wrap(new_nonce(), secret, _about(key_id)), at)


async def rotate(db: Db, made: Sequence[KeyPair], at: datetime) -> list[KeyPublished | KeyGone]:
    """Keep and publish new pairs, and destroy those whose successors have been there long enough."""
    events: list[KeyPublished | KeyGone] = []
    for pair in made:
        await store.add(db, pair)
        events.append(
            KeyPublished(
                key_id=pair.key_id,
                use=KEY_USES[pair.use],
                public=pair.public,
                published_at=pair.made_at,
                version=1,
            )
        )
    gone = [id for use in MAKERS for id in await store.destroy(db, use, at - OUTLIVES)]
    return [*events, *(KeyGone(key_id=id, version=2) for id in gone)]


KEY_USES: Final[dict[str, KeyUse]] = {"seal": "seal", "sign": "sign"}


async def opened(kind: type[C], command: SealedCommand, meta: Meta, db: Db) -> Opened[C] | Refusal:
    """What is inside a command's box; `unreadable` when its key is destroyed or it was made for another."""
    pair = await store.one(db, command.sealed.key)
    if pair is None:
        return Refusal("unreadable")
    private = X25519PrivateKey.from_private_bytes(vault.unwrap(pair.wrapped, _about(pair.key_id)))
    try:
        return unseal(kind, command.sealed, private, bound_to(command, meta))
    except SealError:
        return Refusal("unreadable")


async def open_box(wish: SealedCommand, meta: Meta, db: Db) -> Opened[Contents] | Refusal:
    """For `prepare`, where opening the box is all that is slow."""
    return await opened(type(wish).contents, wish, meta, db)


async def signing_key(db: Db, at: datetime) -> SigningKey:
    """What access tokens are signed with now. Raises RuntimeError before the first tick."""
    pair = await store.newest(db, "sign", at - KNOWN_AFTER)
    if pair is None:
        raise RuntimeError("there is no signing key yet")
    return SigningKey.of(pair.key_id, vault.unwrap(pair.wrapped, _about(pair.key_id)))
